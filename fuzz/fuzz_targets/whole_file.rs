#![no_main]

#[allow(dead_code, reason = "the proof uses the rest")]
#[path = "../../tests/proof/shop.rs"]
mod shop;
#[allow(dead_code, reason = "the proof uses the rest")]
#[path = "../../tests/proof/whole_file.rs"]
mod whole_file;

libfuzzer_sys::fuzz_target!(|data: &[u8]| whole_file::whole_file(data));
