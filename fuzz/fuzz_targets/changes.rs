#![no_main]

use groove_core::proof::fuzz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::changes(data));
