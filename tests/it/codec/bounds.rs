//! No input costs more than its bound.
//!
//! Memory is not counted here: a counting allocator would be unsafe code. What can be told from outside is: a walk keeps one level
//! for each struct or container it is inside of, so its depth bound bounds its memory; a canonical form never outgrows its bound;
//! a boundary keeps nothing but a walk. The fuzz targets run under libFuzzer's own limit on allocations.

use larder::key::Ignored;
use larder::key::canonical::{Canonical, KEY_MAX, Unkeyable};
use larder::wire::walk::{Walk, Walked};
use larder::wire::{Protocol, WireError};
use proptest::prelude::*;

/// Values inside each other: what opens one in a struct, opens one in a container, and closes one.
fn nests(protocol: Protocol) -> [(&'static [u8], &'static [u8], &'static [u8]); 4] {
    match protocol {
        Protocol::Binary => [
            (&[12, 0, 1], &[12, 0, 1], &[0]),
            (&[15, 0, 1], &[15, 0, 0, 0, 1], &[]),
            (&[14, 0, 1], &[14, 0, 0, 0, 1], &[]),
            (&[13, 0, 1], &[3, 13, 0, 0, 0, 1, 7], &[]),
        ],
        Protocol::Compact => [
            (&[0x1c], &[0x1c], &[0]),
            (&[0x19], &[0x19], &[]),
            (&[0x1a], &[0x1a], &[]),
            (&[0x1b], &[1, 0x3b, 7], &[]),
        ],
    }
}

#[test]
fn endless_nesting_ends_at_the_bound() {
    for protocol in [Protocol::Binary, Protocol::Compact] {
        for (first, again, _) in nests(protocol) {
            let bytes = [first, &again.repeat(100_000)].concat();
            let mut walk = Walk::new(protocol, 0, 1 << 30, 64);
            assert_eq!(walk.advance(&bytes, usize::MAX), Err(WireError::Depth { bound: 64 }));
            let form = Canonical::new(64).put(protocol, &bytes, &Ignored::default(), &mut Vec::new());
            assert_eq!(form, Err(Unkeyable::Wire(WireError::Depth { bound: 64 })));
        }
    }
}

#[test]
fn sixty_four_structs_pass() {
    for protocol in [Protocol::Binary, Protocol::Compact] {
        let (open, _, close) = nests(protocol)[0];
        let bytes = [open.repeat(63), close.repeat(64)].concat();
        let mut walk = Walk::new(protocol, 0, bytes.len(), 64);
        assert_eq!(walk.advance(&bytes, usize::MAX), Ok(Walked::Done(bytes.len())));
        assert_eq!(Canonical::new(64).put(protocol, &bytes, &Ignored::default(), &mut Vec::new()), Ok(()));
    }
}

#[test]
fn a_form_never_outgrows_its_bound() {
    let count = 4 * KEY_MAX as u32;
    let filled = |head: &[u8], fill: &[u8], tail: &[u8]| {
        [head, &count.to_be_bytes(), &fill.repeat(count as usize), tail].concat()
    };
    for (what, body) in [
        ("a string", filled(&[11, 0, 1], b"x", &[0])),
        ("numbers", filled(&[15, 0, 1, 3], &[7], &[0])),
        ("empty structs", filled(&[15, 0, 1, 12], &[0], &[0])),
        ("empty lists", filled(&[15, 0, 1, 15], &[3, 0, 0, 0, 0], &[0])),
    ] {
        let mut out = Vec::new();
        let form = Canonical::new(64).put(Protocol::Binary, &body, &Ignored::default(), &mut out);
        assert_eq!(form, Err(Unkeyable::Long), "{what}");
        // The stops of the structs that were open are not counted.
        assert!(out.len() <= KEY_MAX + 64, "{what}: {} bytes", out.len());
    }
}

#[test]
fn parts_to_be_put_in_order_are_bounded() {
    let ignored = Ignored::new([&[1_i16][..]]);
    let field = [&[2, 0, 1, 1].repeat(1 << 20)[..], &[0]].concat();
    let set = [&[14, 0, 1, 12, 0, 16, 0, 0][..], &[0; (1 << 20) + 1]].concat();
    for body in [field, set] {
        let form = Canonical::new(64).put(Protocol::Binary, &body, &ignored, &mut Vec::new());
        assert_eq!(form, Err(Unkeyable::Parts));
    }
}

#[test]
fn declared_sizes_are_refused_before_anything_is_kept() {
    let size = i32::MAX.to_be_bytes();
    for head in [&[11, 0, 1][..], &[15, 0, 1, 12], &[14, 0, 1, 11], &[13, 0, 1, 11, 12]] {
        let bytes = [head, &size].concat();
        let mut walk = Walk::new(Protocol::Binary, 0, 1 << 20, 64);
        assert!(matches!(walk.advance(&bytes, usize::MAX), Err(WireError::TooLong { .. })));
        let mut out = Vec::new();
        assert!(Canonical::new(64).put(Protocol::Binary, &bytes, &Ignored::default(), &mut out).is_err());
        assert!(out.capacity() < 1024);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let mut walk = Walk::new(protocol, 0, 1 << 20, 64);
            if let Ok(Walked::Needs(total)) = walk.advance(&bytes, usize::MAX) {
                prop_assert!(total > bytes.len() && total <= 1 << 20);
            }
            let mut out = Vec::new();
            let _ = Canonical::new(64).put(protocol, &bytes, &Ignored::default(), &mut out);
            // An empty list takes one byte in the compact protocol and five in canonical form.
            prop_assert!(out.len() <= 8 * bytes.len() + 8);
        }
    }
}
