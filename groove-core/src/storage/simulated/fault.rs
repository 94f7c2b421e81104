//! Calls that fail.

use std::io;

/// What a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`Storage::read_at`](crate::storage::Storage::read_at), also of each read of a batch.
    Read,
    /// [`Storage::write_at`](crate::storage::Storage::write_at).
    Write,
    /// [`Storage::sync`](crate::storage::Storage::sync).
    Sync,
    /// [`Storage::allocate`](crate::storage::Storage::allocate).
    Allocate,
}

impl Call {
    /// All of them.
    pub const ALL: &'static [Call] = &[Call::Read, Call::Write, Call::Sync, Call::Allocate];
}

/// Fails the calls of some kinds from the n-th on.
///
/// A write that fails has written nothing, a part or everything. A sync that fails loses what was
/// written since the last one: reads still give it, no later sync brings it to the medium, a crash
/// takes away what had not landed by chance. A read that fails has filled its buffer with anything.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The kinds of calls that are counted, and fail.
    pub calls: &'static [Call],
    /// The number of calls of these kinds that succeed.
    pub after: u64,
    /// Whether the calls after it fail too.
    pub for_good: bool,
    /// What the caller is told.
    pub kind: io::ErrorKind,
}

/// How far a fault is.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) fault: Option<Fault>,
    calls: u64,
    pub(super) failed: u64,
}

impl Faults {
    pub(super) fn set(&mut self, fault: Option<Fault>) {
        *self = Faults { fault, calls: 0, failed: 0 };
    }

    /// Counts a call.
    pub(super) fn call(&mut self, call: Call) -> io::Result<()> {
        let Some(fault) = self.fault.filter(|fault| fault.calls.contains(&call)) else {
            return Ok(());
        };
        self.calls += 1;
        let beyond = self.calls.checked_sub(fault.after + 1);
        if beyond.is_none_or(|beyond| beyond > 0 && !fault.for_good) {
            return Ok(());
        }
        self.failed += 1;
        Err(io::Error::new(fault.kind, "as the test ordered"))
    }
}
