//! What a reply says, whatever way it is written.

use xxhash_rust::xxh3::xxh3_128;

use crate::key::Ignored;
use crate::key::canonical::Canonical;
use crate::wire::{Bounds, Protocol};

/// What a reply says: two that are equal say the same, in whatever order and protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelled(u128);

impl Spelled {
    /// What the struct of a reply says; nothing where it has no one spelling or is too long for one
    /// ([`KEY_MAX`](crate::key::canonical::KEY_MAX)).
    pub(crate) fn of(protocol: Protocol, body: &[u8]) -> Option<Self> {
        let mut spelled = Vec::with_capacity(body.len());
        let mut canonical = Canonical::new(Bounds::default().depth);
        canonical.put(protocol, body, &Ignored::default(), &mut spelled).ok()?;
        Some(Self(xxh3_128(&spelled)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply whose result is a map of two bytes to bytes, in this order.
    fn binary(entries: [[u8; 2]; 2]) -> Vec<u8> {
        [&[13, 0, 0, 3, 3, 0, 0, 0, 2], entries.as_flattened(), &[0]].concat()
    }

    #[test]
    fn order_and_protocol_are_no_difference() {
        let said = |bytes: &[u8]| Spelled::of(Protocol::Binary, bytes).unwrap();
        assert_eq!(said(&binary([[1, 2], [3, 4]])), said(&binary([[3, 4], [1, 2]])));
        assert_ne!(said(&binary([[1, 2], [3, 4]])), said(&binary([[1, 4], [3, 2]])));
        let compact = [0x0b, 0, 2, 0x33, 1, 2, 3, 4, 0];
        assert_eq!(Spelled::of(Protocol::Compact, &compact), Some(said(&binary([[1, 2], [3, 4]]))));
        assert_eq!(
            Spelled::of(Protocol::Binary, &binary([[1, 2], [1, 4]])),
            None,
            "a key stands there twice"
        );
    }
}
