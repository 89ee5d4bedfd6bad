//! Envelopes come back as they went, and nothing else passes for one.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::clock::Millis;
use crate::entry::{Ending, Tags};
use crate::mark::{Cover, Version};
use crate::wire::Protocol;

fn slots() -> impl Strategy<Value = Slot> {
    let endings =
        prop_oneof![Just(Ending::Result), Just(Ending::Empty), any::<i16>().prop_map(Ending::Exception)];
    let protocols = prop_oneof![Just(Protocol::Binary), Just(Protocol::Compact)];
    let bodies = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (any::<u8>(), 0..20_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    let bodies = bodies.prop_map(Bytes::from);
    let births = || any::<u64>().prop_map(Millis);
    let entries = (births(), endings, protocols, bodies);
    prop_oneof![
        3 => entries.prop_map(|(born, ending, protocol, body)| {
            Slot::Entry(Arc::new(Entry::new(born, ending, protocol, body)))
        }),
        1 => births().prop_map(Slot::Tombstone),
    ]
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..60)
}

fn sample() -> Entry {
    let tags = Tags { made_by: 7, covers: [Cover(1), Cover(u128::MAX)].into() };
    let body = Bytes::from_static(b"reply");
    let version = Version::unpacked(9);
    Entry {
        tags,
        version,
        ..Entry::new(Millis(1_700_000_000_123), Ending::Exception(2), Protocol::Compact, body)
    }
}

fn encode(key: &[u8], slot: &Slot) -> Result<Vec<u8>, TooLarge> {
    Codec::default().encode(key, slot)
}

fn decode(key: &[u8], envelope: &Bytes) -> Result<Slot, Unreadable> {
    Codec::default().decode(key, envelope)
}

fn encoded(key: &[u8], entry: Entry) -> Result<Vec<u8>, TooLarge> {
    encode(key, &Slot::Entry(Arc::new(entry)))
}

/// All ways in which envelopes are written.
fn codecs() -> impl Strategy<Value = Codec> {
    let compressing = Codec { compress_above: Some(10), ..Codec::default() };
    let both = Codec { compress_above: Some(10), ..signing(NEW) };
    prop_oneof![Just(old()), Just(Codec::default()), Just(compressing), Just(signing(OLD)), Just(both)]
}

const OLD: &str = "an old secret, 32 bytes or longer";
const NEW: &str = "a new secret of 32 bytes or longer";

fn signing(secrets: &str) -> Codec {
    Codec { keyring: Some(Keyring::parse(secrets).unwrap()), ..Codec::default() }
}

fn old() -> Codec {
    Codec { format: Format::Three, ..Codec::default() }
}

proptest! {
    #[test]
    fn what_lies_there_comes_back_as_it_went(codec in codecs(), key in keys(), slot in slots()) {
        let envelope = Bytes::from(codec.encode(&key, &slot).unwrap());
        prop_assert_eq!(codec.decode(&key, &envelope), Ok(slot.clone()));
        prop_assert_eq!(decode(&key, &envelope), Ok(slot), "and by who has no secret");
    }

    #[test]
    fn a_changed_byte_is_noticed(codec in codecs(), key in keys(), slot in slots(), at in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let mut envelope = codec.encode(&key, &slot).unwrap();
        let at = at.index(envelope.len());
        envelope[at] ^= by;
        prop_assert!(decode(&key, &envelope.into()).is_err());
    }

    #[test]
    fn a_cut_is_noticed(codec in codecs(), key in keys(), slot in slots(), at in any::<prop::sample::Index>()) {
        let envelope = Bytes::from(codec.encode(&key, &slot).unwrap());
        prop_assert!(decode(&key, &envelope.slice(..at.index(envelope.len()))).is_err());
    }

    #[test]
    fn added_bytes_are_noticed(codec in codecs(), key in keys(), slot in slots(), more in prop::collection::vec(any::<u8>(), 1..20)) {
        let mut envelope = codec.encode(&key, &slot).unwrap();
        envelope.extend(more);
        prop_assert!(decode(&key, &envelope.into()).is_err());
    }

    #[test]
    fn noise_is_no_envelope(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(decode(b"key", &noise.clone().into()).is_err());
        for begin in [b"LRD\x03", b"LRD\x04"] {
            let begun = [&begin[..], &noise].concat();
            prop_assert!(decode(b"key", &begun.into()).is_err());
        }
    }
}

#[test]
fn the_body_is_not_copied() {
    let envelope = Bytes::from(encoded(b"key", sample()).unwrap());
    let entry = decode(b"key", &envelope).unwrap().entry().unwrap();
    assert!(envelope.as_ptr_range().contains(&entry.body.as_ptr()));
}

#[test]
fn the_format_is_as_described() {
    let envelope = encoded(b"key", sample()).unwrap();
    let header = [
        &2_u32.to_le_bytes()[..],
        &2_i16.to_le_bytes(),
        &1_u32.to_le_bytes(),
        &3_u64.to_le_bytes(),
        b"key",
        &9_u64.to_le_bytes(),
        &7_u64.to_le_bytes(),
        &2_u64.to_le_bytes(),
        &1_u128.to_le_bytes(),
        &u128::MAX.to_le_bytes(),
    ]
    .concat();
    let whole = [
        &b"LRD\x04"[..],
        &1_700_000_000_123_u64.to_be_bytes(),
        &[0],
        &[0],
        &5_u32.to_be_bytes(),
        &u32::try_from(header.len()).unwrap().to_be_bytes(),
        &header,
        b"reply",
    ]
    .concat();
    assert_eq!(envelope[..whole.len()], whole);
    assert_eq!(envelope.len(), whole.len() + 8);
}

#[test]
fn a_tombstone_tells_its_age_and_its_key_alone() {
    let envelope = encode(b"key", &Slot::Tombstone(Millis(5))).unwrap();
    let header = [&3_u64.to_le_bytes()[..], b"key"].concat();
    let whole =
        [b"LRD\x04", &5_u64.to_be_bytes()[..], &[1], &[0], &[0; 4], &11_u32.to_be_bytes(), &header].concat();
    assert_eq!(envelope[..whole.len()], whole);
    assert_eq!(envelope.len(), whole.len() + 8);
    assert_eq!(decode(b"other", &envelope.into()), Err(Unreadable::OtherKey));
}

/// [`sample`] and a tombstone of the fifth millisecond, both of the key `key`, as gateways of format 3 have written them.
const OF_FORMAT_3: [&str; 2] = [
    "4c5244030000018bcfe5687b00000000550200000002000100000003000000000000006b65790900000000000000070000000000000002\
     0000000000000001000000000000000000000000000000ffffffffffffffffffffffffffffffff05000000000000007265706c79afae49\
     7dfb259bd1",
    "4c5244030000000000000005010000000b03000000000000006b657919b4f3ad324ae019",
];

#[test]
fn what_the_version_before_wrote_is_read_and_written() {
    let slots = [Slot::Entry(Arc::new(sample())), Slot::Tombstone(Millis(5))];
    for (written, slot) in OF_FORMAT_3.iter().zip(slots) {
        let bytes = written.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = bytes.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(old().encode(b"key", &slot).unwrap(), bytes);
        assert_eq!(decode(b"key", &bytes.into()), Ok(slot));
    }
}

#[test]
fn all_formats_begin_with_what_ages_are_compared_by() {
    for slot in [Slot::Entry(Arc::new(sample())), Slot::Tombstone(Millis(5))] {
        let [three, four] = [old(), Codec::default()].map(|codec| codec.encode(b"key", &slot).unwrap());
        assert_eq!((&three[..3], &three[4..13]), (&four[..3], &four[4..13]));
    }
}

#[test]
fn a_long_reply_is_compressed_if_that_makes_it_shorter() {
    let codec = Codec { compress_above: Some(100), ..Codec::default() };
    let length = |codec: &Codec, body: &[u8]| {
        let slot = Slot::Entry(Arc::new(Entry { body: Bytes::copy_from_slice(body), ..sample() }));
        let envelope = Bytes::from(codec.encode(b"key", &slot).unwrap());
        // Who does not compress reads it too.
        assert_eq!(decode(b"key", &envelope), Ok(slot));
        envelope.len()
    };
    let bare = length(&codec, b"");
    assert_eq!(length(&codec, &[7; 100]), bare + 100);
    assert!(length(&codec, &[7; 101]) < bare + 50);
    let noise: Vec<u8> = StdRng::seed_from_u64(1).random_iter().take(5_000).collect();
    assert_eq!(length(&codec, &noise), bare + 5_000);
    assert_eq!(length(&Codec { format: Format::Three, ..codec }, &[7; 101]), bare + 101 + 8 - 5);
}

/// The length that lies at 14 is what is allocated.
#[test]
fn a_length_that_is_not_true_is_not_believed() {
    let codec = Codec { compress_above: Some(100), ..Codec::default() };
    let body = Bytes::from(vec![7; 10_000]);
    let whole = codec.encode(b"key", &Slot::Entry(Arc::new(Entry { body, ..sample() }))).unwrap();
    let saying = |length: u32| {
        let mut envelope = whole.clone();
        envelope[14..18].copy_from_slice(&length.to_be_bytes());
        let end = envelope.len() - 8;
        let checksum = xxh3_64(&envelope[..end]);
        envelope[end..].copy_from_slice(&checksum.to_be_bytes());
        decode(b"key", &envelope.into())
    };
    assert!(saying(10_000).is_ok());
    for length in [0, 9_999, 10_001, MAX_ENVELOPE as u32] {
        assert_eq!(saying(length), Err(Unreadable::Compression), "{length}");
    }
    assert_eq!(saying(MAX_ENVELOPE as u32 + 1), Err(Unreadable::TooLarge));
}

#[test]
fn with_a_secret_only_what_is_signed_is_believed() {
    let older = old();
    let (old, both, new) = (signing(OLD), signing(&format!("{NEW}\n{OLD}")), signing(NEW));
    for slot in [Slot::Entry(Arc::new(sample())), Slot::Tombstone(Millis(5))] {
        let written = |codec: &Codec| Bytes::from(codec.encode(b"key", &slot).unwrap());
        let read = |reader: &Codec, writer: &Codec| reader.decode(b"key", &written(writer)).map(|_| ());
        for (reader, writer) in [(&old, &old), (&both, &old), (&both, &new), (&new, &both)] {
            assert_eq!(read(reader, writer), Ok(()));
        }
        assert_eq!(read(&old, &both), Err(Unreadable::Forged));
        assert_eq!(read(&new, &old), Err(Unreadable::Forged));
        assert_eq!(read(&new, &Codec::default()), Err(Unreadable::Unsigned));
        assert_eq!(read(&new, &older), Err(Unreadable::Unsigned));
        assert_eq!(new.decode(b"other", &written(&new)), Err(Unreadable::OtherKey), "it is of its key");
    }
}

/// Who has no secret can make checksums, and nothing else.
#[test]
fn whatever_is_changed_is_forged() {
    let codec = signing(NEW);
    for slot in [Slot::Entry(Arc::new(sample())), Slot::Tombstone(Millis(5))] {
        let whole = codec.encode(b"key", &slot).unwrap();
        let end = whole.len() - 8;
        for at in 4..end {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let checksum = xxh3_64(&changed[..end]);
            changed[end..].copy_from_slice(&checksum.to_be_bytes());
            assert!(codec.decode(b"key", &changed.into()).is_err(), "byte {at}");
        }
    }
}

#[test]
fn work_is_what_is_read_or_comes_of_it() {
    let codec = Codec { compress_above: Some(100), ..Codec::default() };
    let slot = Slot::Entry(Arc::new(Entry { body: Bytes::from(vec![7; 10_000]), ..sample() }));
    assert_eq!(work(&codec.encode(b"key", &slot).unwrap()), 10_000);
    let plain = encode(b"key", &slot).unwrap();
    assert_eq!(work(&plain), plain.len());
    assert_eq!(work(b"somebody else's"), 15);
}

#[test]
fn each_reason_has_its_case() {
    let whole = encoded(b"key", sample()).unwrap();
    let mut older = whole.clone();
    older[3] = 0;
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    // A length of 2^40 where the key's lies must neither be believed nor allocated.
    let mut hostile = whole.clone();
    hostile[32..40].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let mut neither = whole.clone();
    neither[12] = 2;
    let mut flagged = whole.clone();
    flagged[13] = 128;
    let read = |bytes: Vec<u8>| decode(b"key", &bytes.into()).unwrap_err();
    assert_eq!(read(b"somebody else's".to_vec()), Unreadable::Foreign);
    assert_eq!(read(older), Unreadable::Format(0));
    assert_eq!(read(whole[..whole.len() - 3].to_vec()), Unreadable::Truncated);
    assert_eq!(read(changed), Unreadable::Checksum);
    assert_eq!(read(hostile), Unreadable::Header);
    assert_eq!(read(neither), Unreadable::Header);
    assert_eq!(read(flagged), Unreadable::Header);
    assert_eq!(read(vec![0; MAX_ENVELOPE + 1]), Unreadable::TooLarge);
    assert_eq!(decode(b"other", &whole.into()), Err(Unreadable::OtherKey));
}

#[test]
fn what_is_too_large_is_refused() {
    assert_eq!(encoded(&vec![0; MAX_KEY + 1], sample()), Err(TooLarge));
    assert_eq!(encode(&vec![0; MAX_KEY + 1], &Slot::Tombstone(Millis(1))), Err(TooLarge));
    let body = Bytes::from(vec![0; MAX_ENVELOPE]);
    assert_eq!(encoded(b"key", Entry { body, ..sample() }), Err(TooLarge));
}
