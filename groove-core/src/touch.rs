//! Memory that is asked for before it is read.
//!
//! A read of what is far away holds up all that comes after it, sooner or later. Who knows beforehand where it
//! will read touches these places first, and the processor goes on while they come.
#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "the processor's instruction for it")
)]

/// Asks for what holds `values[at]`. It changes nothing but how long the next read of it takes; beyond the end
/// it may do nothing.
///
/// Elsewhere than on x86-64 the value is read.
#[inline(always)] // one instruction
pub(crate) fn touch<T: Copy>(values: &[T], at: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let place = values.as_ptr().wrapping_add(at);
        // SAFETY: the instruction reads nothing that the program could see, and no address makes it fail. Every
        // x86-64 processor has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    std::hint::black_box(values.get(at).copied());
}
