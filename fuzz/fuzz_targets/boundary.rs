//! The first message of an unframed stream that arrives in pieces as long as its first byte says.
#![no_main]

use larder::wire::boundary::Boundary;
use larder::wire::{Bounds, Protocol, Transport};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (Some(&piece), Some(bytes)) = (bytes.first(), bytes.get(1..)) else { return };
    for protocol in [Protocol::Binary, Protocol::Compact] {
        let mut boundary = Boundary::new(Transport::Unframed, protocol, Bounds::default());
        for end in (0..=bytes.len()).step_by(usize::from(piece).max(1)) {
            if boundary.find(&bytes[..end]).is_err() {
                break;
            }
        }
    }
});
