//! The canonical form of arguments in either protocol.
#![no_main]

use larder::key::Ignored;
use larder::key::canonical::Canonical;
use larder::wire::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let ignored = Ignored::new([&[1_i16][..], &[2, 1]]);
    for protocol in [Protocol::Binary, Protocol::Compact] {
        let _ = Canonical::new(64).put(protocol, bytes, &ignored, &mut Vec::new());
    }
});
