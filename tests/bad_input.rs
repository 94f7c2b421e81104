//! Bad input and bad disks: each is refused with an error of its own, in words that name the thing
//! and the way out, and changes nothing.
//!
//! `cargo test --test bad_input -- --nocapture` prints every message with its causes, for reading.

#[path = "bad_input/damage.rs"]
mod damage;
#[path = "bad_input/device.rs"]
mod device;
#[path = "bad_input/faults.rs"]
mod faults;
#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/objects.rs"]
mod objects;
#[path = "bad_input/options.rs"]
mod options;
#[path = "bad_input/orders.rs"]
mod orders;
#[path = "bad_input/permissions.rs"]
mod permissions;
#[path = "bad_input/schemas.rs"]
mod schemas;

use std::error::Error;

/// The message of an error and of its causes, as an application prints it.
fn message(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    message
}

/// The message of the error itself has each of these parts, in this order.
#[track_caller]
fn assert_says(error: &dyn Error, parts: &[&str]) {
    println!("{}", message(error));
    let text = error.to_string();
    let mut rest = text.as_str();
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => panic!("{part:?} is not in its place in {text:?}"),
        }
    }
}
