//! How keys are spelled in Redis.
//!
//! ```text
//! PREFIX:SERVICE.METHOD:HASH:PROTOCOL   what is kept of a call
//! PREFIX:lease:HASH                     who asks for it
//! ```
//!
//! Names stand there for people, who can find and count keys by them; the hash alone tells two keys of a method apart. It is xxh3-128
//! of the full key, which the value holds: of an entry without the protocol of the reply, so that replies to one call in two protocols
//! are found from each other. The format of values has no part in a key: gateways of two versions have the same.
//!
//! Methods may come from a wildcard and are named by clients, so names are cut and escaped: a brace would make all keys of a method
//! one slot of a cluster.

use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_128;

use crate::key::{self, Parts};
use crate::wire::Protocol;

/// The key of what is kept under `key`.
pub(super) fn entry(prefix: &str, key: &[u8]) -> String {
    let Parts { service, method, protocol, .. } = Parts::of(key);
    let protocol = protocol.map_or("any", Protocol::as_str);
    let names = service.len().min(NAME_MAX) + method.len().min(NAME_MAX);
    let mut text = String::with_capacity(prefix.len() + names + HASH + protocol.len() + ":.::".len());
    text.extend([prefix, ":"]);
    escape(service, &mut text);
    text.push('.');
    escape(method, &mut text);
    text.push(':');
    put_hash(key::hash(key), &mut text);
    text.extend([":", protocol]);
    text
}

/// The key of the lease on `key`.
pub(super) fn lease(prefix: &str, key: &[u8]) -> String {
    format!("{prefix}:lease:{:032x}", xxh3_128(key))
}

/// Puts a name in letters, digits and what else no program takes for more than a letter; all others as `%` and two digits.
fn escape(name: &[u8], out: &mut String) {
    for byte in name.iter().take(NAME_MAX) {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' | b'.' => out.push(char::from(*byte)),
            // Writing to a string does not fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
}

/// Puts a hash in hexadecimal digits: digit by digit, because the library's formatting takes several times as long.
fn put_hash(hash: u128, out: &mut String) {
    let digits = (0..HASH).rev().map(|place| (hash >> (4 * place)) as u32 & 0xf);
    out.extend(digits.filter_map(|digit| char::from_digit(digit, 16)));
}

/// Digits of a hash.
const HASH: usize = 32;
/// Bytes of a name that a key tells.
const NAME_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::shared::redis::slots::{SLOTS, slot};
    use crate::key::{Ignored, Prefix, Scope, Spelling};

    fn key(method: &[u8], protocol: Protocol, arguments: &[u8]) -> Vec<u8> {
        let scope = Scope {
            backend: "users",
            service: b"UserService",
            method,
            spelling: Spelling::Plain,
            protocol,
            revision: 0,
            ignored: &Ignored::default(),
        };
        [Prefix::new(&scope).as_bytes(), arguments].concat()
    }

    #[test]
    fn a_key_tells_method_and_protocol_beside_its_hash() {
        let [binary, compact] = [Protocol::Binary, Protocol::Compact]
            .map(|protocol| entry("larder", &key(b"getUser", protocol, b"7")));
        let hash = binary.strip_prefix("larder:UserService.getUser:").unwrap();
        let hash = hash.strip_suffix(":binary").unwrap();
        assert!(hash.len() == 32 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "{binary}");
        assert_eq!(compact, format!("larder:UserService.getUser:{hash}:compact"));
        assert_ne!(entry("larder", &key(b"getUser", Protocol::Binary, b"8")), binary);
    }

    fn escaped(name: &[u8]) -> String {
        let mut text = String::new();
        escape(name, &mut text);
        text
    }

    #[test]
    fn a_hash_has_all_its_digits() {
        for hash in [0, 1, 0xf, u128::MAX, 0x0123_4567_89ab_cdef_0fed_cba9_8765_4321] {
            let mut text = String::new();
            put_hash(hash, &mut text);
            assert_eq!(text, format!("{hash:032x}"));
        }
    }

    #[test]
    fn names_are_escaped_and_cut() {
        assert_eq!(escaped(b"team.get_User-2"), "team.get_User-2");
        assert_eq!(escaped(b"a{b}*c?[d]:% \n\xff"), "a%7Bb%7D%2Ac%3F%5Bd%5D%3A%25%20%0A%FF");
        assert_eq!(escaped(&[b'm'; 70_000]), "m".repeat(NAME_MAX));
        let [one, other] = [&b"1"[..], b"2"].map(|end| {
            let method = [&[b'm'; NAME_MAX][..], end].concat();
            entry("larder", &key(&method, Protocol::Binary, b""))
        });
        assert_ne!(one, other, "what is cut off is in the hash");
    }

    #[test]
    fn keys_of_a_method_lie_in_all_parts_of_a_cluster_whatever_its_name_is() {
        for method in [&b"getUser"[..], b"{getUser}"] {
            let slots = (0..1_000_u32)
                .map(|id| slot(&entry("larder", &key(method, Protocol::Binary, &id.to_be_bytes()))));
            let mut quarters = [0; 4];
            slots.for_each(|slot| quarters[usize::from(slot / (SLOTS / 4))] += 1);
            assert!(quarters.iter().all(|count| *count > 150), "{quarters:?}");
        }
    }

    #[test]
    fn what_is_no_key_has_one_all_the_same() {
        assert!(entry("larder", b"no key").starts_with("larder:.:"));
    }
}
