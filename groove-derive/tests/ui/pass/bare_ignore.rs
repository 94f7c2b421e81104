#![allow(unused_attributes, reason = "`ignore` is an attribute of tests as well")]

use groove::Groove;

#[derive(Groove)]
struct Order {
    #[ignore]
    item: u64,
    timestamp: u64,
}

fn main() {}
