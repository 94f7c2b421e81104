//! Plain memory as a field.

use std::fmt;

use crate::field::{Field, InvalidValue};
use crate::schema::FieldType;

/// Any [`bytemuck::Pod`] type as a field, stored as it is in memory.
///
/// It cannot be indexed, since its bytes have no order; index a function of it instead
/// (`#[groove(derived(…))]`). The schema in the file knows only its width: a `T` of another meaning
/// and the same width is not noticed. Only for little-endian machines.
///
/// ```
/// use groove_core::field::{Field, Pod};
///
/// let point = Pod([1.5f32, -2.0]);
/// let mut bytes = [0; 8];
/// point.write(&mut bytes);
/// assert_eq!(Pod::<[f32; 2]>::read(&bytes), Ok(point));
/// assert_eq!(point.0[1], -2.0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pod<T>(pub T);

impl<T> From<T> for Pod<T> {
    fn from(value: T) -> Self {
        Pod(value)
    }
}

impl<T: bytemuck::Pod> Field for Pod<T> {
    const WIDTH: usize = {
        assert!(cfg!(target_endian = "little"), "`Pod<T>` is for little-endian machines");
        size_of::<T>()
    };
    const TYPE: FieldType = FieldType::Foreign("Pod", size_of::<T>());

    #[inline]
    fn write(&self, out: &mut [u8]) {
        out.copy_from_slice(bytemuck::bytes_of(&self.0));
    }

    #[inline]
    fn read(bytes: &[u8]) -> Result<Self, InvalidValue> {
        match bytemuck::try_pod_read_unaligned(bytes) {
            Ok(value) => Ok(Pod(value)),
            Err(_) => Err(InvalidValue::of::<Self>()),
        }
    }

    fn describe(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pod(0x")?;
        for byte in bytemuck::bytes_of(&self.0) {
            write!(formatter, "{byte:02x}")?;
        }
        formatter.write_str(")")
    }
}
