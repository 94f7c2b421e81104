//! Memory that is asked for before it is read.
//!
//! A read of what is far away holds up all that comes after it, sooner or later. Who knows beforehand where it
//! will read touches these places first, and the processor goes on while they come.
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "the processor's instruction for it")
)]

#[cfg(any(not(target_arch = "x86_64"), miri))]
use std::hint::black_box;
use std::sync::atomic::AtomicU64;
#[cfg(any(not(target_arch = "x86_64"), miri))]
use std::sync::atomic::Ordering;

/// Bytes that a processor takes from memory at a time.
pub(crate) const CACHE_LINE: usize = 64;

/// Asks for what holds `values[at]`. It changes nothing but how long the next read of it takes; beyond the end
/// it may do nothing.
///
/// Elsewhere than on x86-64 the value is read.
#[inline(always)] // one instruction
pub(crate) fn touch<T: Copy>(values: &[T], at: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    prefetch(values.as_ptr().wrapping_add(at));
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    black_box(values.get(at).copied());
}

/// As [`touch`], for all of some bytes.
#[inline]
pub(crate) fn touch_all(bytes: &[u8]) {
    (0..bytes.len()).step_by(CACHE_LINE).for_each(|at| touch(bytes, at));
    touch(bytes, bytes.len().saturating_sub(1));
}

/// As [`touch`], for what others may change.
#[inline(always)] // one instruction
pub(crate) fn touch_shared(values: &[AtomicU64], at: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    prefetch(values.as_ptr().wrapping_add(at));
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    black_box(values.get(at).map(|value| value.load(Ordering::Relaxed)));
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)] // one instruction
fn prefetch<T>(place: *const T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: the instruction reads nothing that the program could see, and no address makes it fail. Every
    // x86-64 processor has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
}
