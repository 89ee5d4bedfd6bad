//! The messages of a stream that arrives in pieces as long as its first byte says.
#![no_main]

use larder::wire::inbound::{Inbound, Look};
use larder::wire::{Bounds, Protocol, Speech, Transport};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (Some(&piece), Some(bytes)) = (bytes.first(), bytes.get(1..)) else { return };
    for protocol in [Protocol::Binary, Protocol::Compact] {
        for transport in [Transport::Framed, Transport::Unframed, Transport::Header] {
            let mut inbound = Inbound::new(Speech { transport, protocol }, Bounds::default());
            for piece in bytes.chunks(usize::from(piece).max(1)) {
                inbound.room().extend_from_slice(piece);
                while matches!(inbound.first(), Ok(Look::Whole)) {
                    inbound.skip();
                }
                if inbound.first().is_err() {
                    break;
                }
            }
        }
    }
});
