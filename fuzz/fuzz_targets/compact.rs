//! A whole message of the compact protocol.
#![no_main]

use larder::wire::Protocol;
use larder::wire::message::Message;
use larder::wire::walk::Walk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Message::parse(Protocol::Compact, bytes, &mut Walk::new(Protocol::Compact, 0, 0, 64));
});
