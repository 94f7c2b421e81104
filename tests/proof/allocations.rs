//! The allocator of the proof: notes the largest allocation of each thread.

#![expect(unsafe_code, reason = "an allocator is unsafe to write; this one passes all calls on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// No case may allocate more at once, whatever a file says.
const ALLOCATION_MAX: usize = 64 << 20;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

struct Noting;

#[global_allocator]
static ALLOCATOR: Noting = Noting;

fn note(bytes: usize) {
    // At the end of a thread its variables may be gone already.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call is handed to the system's allocator as it is; `note` allocates nothing.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        note(bytes);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

/// Runs `case`, which may not allocate more than 64 MiB at once on this thread.
pub(crate) fn bounded<T>(case: impl FnOnce() -> T) -> T {
    LARGEST.set(0);
    let result = case();
    let largest = LARGEST.get();
    assert!(largest <= ALLOCATION_MAX, "{largest} bytes were allocated at once");
    result
}
