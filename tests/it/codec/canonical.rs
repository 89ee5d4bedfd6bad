//! Equal calls have one canonical form, and two different calls never share one.

use std::collections::BTreeMap;

use larder::key::Ignored;
use larder::key::canonical::{Canonical, Unkeyable};
use larder::wire::Protocol;
use proptest::prelude::*;

use super::tree::{self, Value, any_value, arguments};

fn form(protocol: Protocol, bytes: &[u8], ignored: &Ignored) -> Result<Vec<u8>, Unkeyable> {
    let mut out = Vec::new();
    Canonical::new(64).put(protocol, bytes, ignored, &mut out).map(|()| out)
}

fn key(call: &Value, seed: u64, ignored: &Ignored) -> Vec<u8> {
    form(Protocol::Binary, &call.written(Protocol::Binary, seed), ignored).unwrap()
}

/// The same call with this value in the field at `path`.
fn with(call: &Value, path: &[i16], value: &Value) -> Value {
    let Value::Struct(fields) = call else { panic!("a path leads through structs") };
    let mut fields = fields.clone();
    let value = match path {
        [_] => value.clone(),
        [id, rest @ ..] => {
            let nothing = Value::Struct(BTreeMap::new());
            let inner = fields.get(id).filter(|inner| matches!(inner, Value::Struct(_)));
            with(inner.unwrap_or(&nothing), rest, value)
        }
        [] => panic!("a path has ids"),
    };
    fields.insert(path[0], value);
    Value::Struct(fields)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_and_protocol_do_not_matter(call in arguments(), seeds in any::<[u64; 3]>()) {
        let none = Ignored::default();
        let first = key(&call, 0, &none);
        for seed in seeds {
            for protocol in [Protocol::Binary, Protocol::Compact] {
                let written = call.written(protocol, seed);
                prop_assert_eq!(form(protocol, &written, &none), Ok(first.clone()));
            }
        }
    }

    #[test]
    fn a_form_can_be_read_back_so_no_two_calls_share_one(call in arguments(), seed in any::<u64>()) {
        prop_assert_eq!(tree::read(&key(&call, seed, &Ignored::default())), call);
    }

    #[test]
    fn what_is_canonical_stays_as_it_is(call in arguments(), seed in any::<u64>()) {
        let once = key(&call, seed, &Ignored::default());
        let twice = form(Protocol::Binary, &once, &Ignored::default());
        prop_assert_eq!(twice, Ok(once));
    }

    #[test]
    fn calls_that_differ_in_one_field_differ_in_form(
        call in arguments(), one in any_value(2), other in any_value(2), seed in any::<u64>(),
    ) {
        let (one, other) = (with(&call, &[3], &one), with(&call, &[3], &other));
        let none = Ignored::default();
        prop_assert_eq!(one == other, key(&one, seed, &none) == key(&other, seed.wrapping_add(1), &none));
    }

    #[test]
    fn an_ignored_field_changes_no_key_and_any_other_does(
        call in arguments(), one in any_value(2), other in any_value(2), seed in any::<u64>(),
    ) {
        for path in [&[3_i16][..], &[3, 2], &[3, 2, -1]] {
            let ignored = Ignored::new([path]);
            let spelled = |path: &[i16], value: &Value, seed| key(&with(&call, path, value), seed, &ignored);
            prop_assert_eq!(spelled(path, &one, seed), spelled(path, &other, !seed));
            for beside in [&[4_i16][..], &[2], &[5, 2]] {
                let same = with(&call, beside, &one) == with(&call, beside, &other);
                prop_assert_eq!(spelled(beside, &one, seed) == spelled(beside, &other, !seed), same);
            }
        }
        let ignored = Ignored::new([&[3_i16, 2][..]]);
        let call = with(&call, &[3, 2], &one);
        let (first, second) = (with(&call, &[3, 1], &one), with(&call, &[3, 1], &other));
        prop_assert_eq!(key(&first, seed, &ignored) == key(&second, seed, &ignored), one == other);
    }

    #[test]
    fn an_ignored_field_is_as_good_as_absent(call in arguments(), value in any_value(2), seed in any::<u64>()) {
        let Value::Struct(mut fields) = with(&call, &[3], &value) else { unreachable!() };
        let ignored = Ignored::new([&[3_i16][..]]);
        let present = key(&Value::Struct(fields.clone()), seed, &ignored);
        fields.remove(&3);
        prop_assert_eq!(present, key(&Value::Struct(fields), seed, &ignored));
    }

    #[test]
    fn bytes_that_have_a_form_have_a_canonical_one(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        bytes.push(0);
        for protocol in [Protocol::Binary, Protocol::Compact] {
            if let Ok(once) = form(protocol, &bytes, &Ignored::default()) {
                let twice = form(Protocol::Binary, &once, &Ignored::default());
                prop_assert_eq!(twice, Ok(once));
            }
        }
    }
}
