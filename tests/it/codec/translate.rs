//! What is translated is what the official crate writes in the other protocol, byte by byte.

use larder::key::Ignored;
use larder::key::canonical::Canonical;
use larder::wire::Protocol;
use larder::wire::translate::translate;
use proptest::prelude::*;

use super::tree::arguments;

const PROTOCOLS: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

/// The farthest step between two ids that the specification has in one byte. The official crate writes it in two.
const FARTHEST: i16 = 15;

fn form(protocol: Protocol, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Canonical::new(64).put(protocol, bytes, &Ignored::default(), &mut out).is_ok().then_some(out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_what_the_official_crate_writes(call in arguments(), seed in any::<u64>()) {
        let [binary, compact] = PROTOCOLS.map(|protocol| call.written(protocol, seed));
        let translated = translate(Protocol::Binary, Protocol::Compact, &binary);
        prop_assert!(call.has_step(FARTHEST) || translated.as_ref() == Ok(&compact));
        let translated = translate(Protocol::Compact, Protocol::Binary, &compact);
        prop_assert_eq!(translated, Ok(call.with_empty_maps_of_texts(seed)));
    }

    #[test]
    fn it_means_the_same(call in arguments(), seed in any::<u64>()) {
        for from in PROTOCOLS {
            let written = call.written(from, seed);
            for to in PROTOCOLS {
                let translated = translate(from, to, &written).unwrap();
                prop_assert_eq!(form(to, &translated), form(from, &written));
            }
        }
    }

    #[test]
    fn any_bytes_with_a_translation_return_from_it(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        bytes.push(0);
        for [from, to] in [PROTOCOLS, [Protocol::Compact, Protocol::Binary]] {
            let Ok(there) = translate(from, to, &bytes) else { continue };
            let back = translate(to, from, &there).unwrap();
            // What came back is spelled as we do, and stays so.
            prop_assert_eq!(translate(from, to, &back), Ok(there.clone()));
            prop_assert_eq!(form(to, &there), form(from, &bytes));
        }
    }
}
