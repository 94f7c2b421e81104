//! Places where the proof can break the engine on purpose, to see whether its tests notice.

/// Whether the proof has put this [defect](crate::proof::Defect) into the engine: false, and known
/// to the compiler to be, unless the feature `proof` is on.
#[cfg(feature = "proof")]
macro_rules! defect {
    ($name:ident) => {
        crate::proof::is_seeded(crate::proof::Defect::$name)
    };
}

#[cfg(not(feature = "proof"))]
macro_rules! defect {
    ($name:ident) => {
        false
    };
}
