//! A device that fails where it is told to, and loses what a failed sync lost.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use groove::storage::Storage;

const SECTOR: usize = 4096;

/// What a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    Sync,
    Allocate,
}

/// Fails the calls of some kinds from the n-th on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) calls: &'static [Call],
    /// The number of calls of these kinds that succeed.
    pub(crate) after: u64,
    /// Whether the calls after it fail too.
    pub(crate) for_good: bool,
    pub(crate) kind: io::ErrorKind,
    /// Whether a write that fails has written its first half.
    pub(crate) torn: bool,
}

/// Bytes in the system's cache over bytes on the medium. Clones share them.
///
/// A sync brings the written sectors to the medium. One that fails forgets them instead: reads
/// still give what was written, no later sync brings it to the medium, and a crash loses it.
#[derive(Clone, Default)]
pub(crate) struct Device {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cached: Vec<u8>,
    medium: Vec<u8>,
    written: BTreeSet<usize>,
    fault: Option<Fault>,
    calls: u64,
    failed: u64,
}

impl Device {
    pub(crate) fn fail(&self, fault: Fault) {
        let mut state = self.state();
        state.fault = Some(fault);
        state.calls = 0;
        state.failed = 0;
    }

    /// The device is sound from now on; how many calls have failed.
    pub(crate) fn repair(&self) -> u64 {
        let mut state = self.state();
        state.fault = None;
        state.failed
    }

    pub(crate) fn failed(&self) -> u64 {
        self.state().failed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().cached.is_empty()
    }

    /// What the file is after a power loss.
    pub(crate) fn medium(&self) -> Vec<u8> {
        self.state().medium.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn call(&mut self, call: Call) -> io::Result<()> {
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

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        self.written.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }
}

impl Storage for Device {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.call(Call::Read)?;
        let bytes = state.cached.get(offset as usize..).and_then(|bytes| bytes.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let called = state.call(Call::Write);
        let torn = state.fault.is_some_and(|fault| fault.torn);
        match called {
            Ok(()) => state.write(offset as usize, buffer),
            Err(_) if torn => state.write(offset as usize, &buffer[..buffer.len() / 2]),
            Err(_) => {}
        }
        called
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        let called = state.call(Call::Sync);
        let State { cached, medium, written, .. } = &mut *state;
        let written = std::mem::take(written);
        if called.is_ok() {
            medium.resize(cached.len(), 0);
            for sector in written {
                let end = cached.len().min((sector + 1) * SECTOR);
                medium[sector * SECTOR..end].copy_from_slice(&cached[sector * SECTOR..end]);
            }
        }
        called
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.state().cached.len() as u64)
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.call(Call::Allocate)?;
        let end = (offset + length) as usize;
        if state.cached.len() < end {
            state.cached.resize(end, 0);
        }
        Ok(())
    }
}
