//! A whole message of the binary protocol.
#![no_main]

use larder::wire::Protocol;
use larder::wire::message::Message;
use larder::wire::walk::Walk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Message::parse(Protocol::Binary, bytes, &mut Walk::new(Protocol::Binary, 0, 0, 64));
});
