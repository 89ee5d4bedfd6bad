//! Keys: equal calls have equal keys, and two different calls never share one.
//!
//! A key is compared in full, never by a hash alone. It is: backend, service, method and its spelling, the protocol of the backend, the recipe
//! (the rule's revision and the argument fields left out), the arguments in canonical form, and a digest of who makes the call where its
//! client has said so. What the client speaks is no part of it.

pub mod canonical;

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use crate::mark::Cover;
use crate::wire::walk::{Walk, Walked};
use crate::wire::{Bounds, Protocol};

/// Argument fields that a rule leaves out of its keys, nested through structs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    fields: BTreeMap<i16, Extent>,
}

/// How much of a field is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Fields(Ignored),
}

/// What is left out of one field.
#[derive(Clone, Copy, Debug)]
pub enum LeftOut<'a> {
    /// Nothing.
    Nothing,
    /// All of it.
    Whole,
    /// Some of the fields of the struct that it holds.
    Fields(&'a Ignored),
}

impl Ignored {
    /// The fields at these paths of ids.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a [i16]>) -> Self {
        let mut all = Self::default();
        for path in paths {
            all.add(path);
        }
        all
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The ids on the way to each field that is left out whole.
    pub fn paths(&self) -> Vec<Vec<i16>> {
        let each = self.fields.iter().flat_map(|(id, extent)| {
            let below = match extent {
                Extent::Whole => vec![Vec::new()],
                Extent::Fields(inner) => inner.paths(),
            };
            below.into_iter().map(|path| [vec![*id], path].concat())
        });
        each.collect()
    }

    /// What is left out of the field with this id.
    #[inline]
    pub fn of(&self, id: i16) -> LeftOut<'_> {
        match self.fields.get(&id) {
            None => LeftOut::Nothing,
            Some(Extent::Whole) => LeftOut::Whole,
            Some(Extent::Fields(inner)) => LeftOut::Fields(inner),
        }
    }

    fn add(&mut self, path: &[i16]) {
        let Some((&id, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.fields.insert(id, Extent::Whole);
            return;
        }
        match self.fields.entry(id).or_insert_with(|| Extent::Fields(Self::default())) {
            Extent::Whole => {}
            Extent::Fields(inner) => inner.add(rest),
        }
    }

    /// One spelling of what is left out, so that rules which leave out other fields share no keys.
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.fields.len() as u32).to_be_bytes());
        for (id, part) in &self.fields {
            out.extend_from_slice(&id.to_be_bytes());
            match part {
                Extent::Whole => out.push(0),
                Extent::Fields(inner) => {
                    out.push(1);
                    inner.put(out);
                }
            }
        }
    }

    /// What lies behind one that was put there, at most `depth` deep.
    fn skip(put: &[u8], depth: usize) -> Option<&[u8]> {
        let depth = depth.checked_sub(1)?;
        let (count, mut left) = put.split_first_chunk()?;
        for _ in 0..u32::from_be_bytes(*count) {
            let ([_, _, extent], behind) = left.split_first_chunk()?;
            left = if *extent == 0 { behind } else { Self::skip(behind, depth)? };
        }
        Some(left)
    }
}

/// What the key of a call begins with: all but its arguments.
#[derive(Clone, Debug, Default)]
pub struct Prefix {
    bytes: Vec<u8>,
}

/// How a method is named on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// By its name alone.
    Plain,
    /// Behind the name of its service, as a multiplexed client does.
    Multiplexed,
}

/// What the keys of a method have in common.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The backend that is asked.
    pub backend: &'a str,
    /// The service of the method.
    pub service: &'a [u8],
    /// The method, without prefix.
    pub method: &'a [u8],
    /// How its name is spelled on the wire: a backend may know one spelling alone, and its reply belongs to that.
    pub spelling: Spelling,
    /// What the backend speaks.
    pub protocol: Protocol,
    /// The rule's revision.
    pub revision: u32,
    /// The argument fields left out.
    pub ignored: &'a Ignored,
}

impl Prefix {
    /// The prefix for the keys of `scope`.
    pub fn new(scope: &Scope<'_>) -> Self {
        let mut bytes = Vec::new();
        for part in [scope.backend.as_bytes(), scope.service, scope.method] {
            bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.push(match scope.spelling {
            Spelling::Plain => 0,
            Spelling::Multiplexed => 1,
        });
        bytes.push(match scope.protocol {
            Protocol::Binary => 0,
            Protocol::Compact => 1,
        });
        bytes.extend_from_slice(&scope.revision.to_be_bytes());
        scope.ignored.put(&mut bytes);
        Self { bytes }
    }

    /// The bytes that a key begins with.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A key taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The backend that is asked.
    pub backend: &'a [u8],
    /// The service of the method.
    pub service: &'a [u8],
    /// The method, without prefix.
    pub method: &'a [u8],
    /// What the backend speaks, if the key is one that tells it.
    pub protocol: Option<Protocol>,
    /// The key but for the byte that tells the protocol: what lies before that, and behind.
    pub rest: [&'a [u8]; 2],
}

impl<'a> Parts<'a> {
    /// The parts of `key`. What is no key has no names.
    pub fn of(key: &'a [u8]) -> Self {
        let mut left = key;
        let [backend, service, method] = [(); 3].map(|()| {
            let (length, behind) = left.split_first_chunk().unwrap_or((&[0; 4], &[]));
            let (part, behind) =
                behind.split_at_checked(u32::from_be_bytes(*length) as usize).unwrap_or((behind, &[]));
            left = behind;
            part
        });
        let protocol = match left {
            [_spelling, 0, ..] => Some(Protocol::Binary),
            [_spelling, 1, ..] => Some(Protocol::Compact),
            _ => None,
        };
        let behind = left.get(2..).filter(|_| protocol.is_some()).unwrap_or_default();
        let before = key.len() - behind.len() - usize::from(protocol.is_some());
        Self { backend, service, method, protocol, rest: [key.get(..before).unwrap_or_default(), behind] }
    }
}

impl<'a> Parts<'a> {
    /// The arguments in canonical form, which is the binary protocol's; none if it is no key.
    pub fn arguments(&self) -> Option<&'a [u8]> {
        Some(self.called()?.0)
    }

    /// As whom the call was made: nothing of one that was made as nobody; none if it is no key.
    pub fn identity(&self) -> Option<&'a [u8]> {
        Some(self.called()?.1)
    }

    /// What is behind the recipe: the arguments, and what is behind those.
    fn called(&self) -> Option<(&'a [u8], &'a [u8])> {
        let [_, behind] = self.rest;
        let (_revision, recipe) = behind.split_first_chunk::<4>()?;
        let depth = Bounds::default().depth;
        let called = Ignored::skip(recipe, depth)?;
        let mut walk = Walk::new(Protocol::Binary, 0, called.len(), depth);
        match walk.advance(called, usize::MAX) {
            Ok(Walked::Done(end)) => called.split_at_checked(end),
            Ok(Walked::Needs(_) | Walked::Unfinished) | Err(_) => Some((called, &[])),
        }
    }
}

/// The hash by which people tell the keys of a method apart, as in Redis: of all but the backend's protocol.
pub fn hash(key: &[u8]) -> u128 {
    let mut hash = Xxh3::new();
    Parts::of(key).rest.iter().for_each(|part| hash.update(part));
    hash.digest128()
}

/// What covers all entries of the method that `key` belongs to, of its service, and all.
pub fn place(key: &[u8]) -> [Cover; 3] {
    let parts = Parts::of(key);
    covering(parts.service, parts.method)
}

/// What covers all entries of a method, of its service, and all.
pub fn covering(service: &[u8], method: &[u8]) -> [Cover; 3] {
    [Cover::method(service, method), Cover::service(service), Cover::all()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_differ_where_anything_differs() {
        let none = Ignored::default();
        let some = Ignored::new([&[3_i16][..]]);
        let deep = Ignored::new([&[3_i16, 1][..]]);
        let base = Scope {
            backend: "b",
            service: b"s",
            method: b"m",
            spelling: Spelling::Plain,
            protocol: Protocol::Binary,
            revision: 0,
            ignored: &none,
        };
        let all = [
            base,
            Scope { backend: "bs", service: b"", ..base },
            Scope { method: b"n", ..base },
            Scope { spelling: Spelling::Multiplexed, ..base },
            Scope { protocol: Protocol::Compact, ..base },
            Scope { revision: 1, ..base },
            Scope { ignored: &some, ..base },
            Scope { ignored: &deep, ..base },
        ];
        let mut spelled: Vec<_> = all.iter().map(|scope| Prefix::new(scope).bytes).collect();
        spelled.sort();
        spelled.dedup();
        assert_eq!(spelled.len(), all.len());
    }

    #[test]
    fn what_is_left_out_is_told_by_its_paths() {
        let paths = [vec![3], vec![4, 1, 2], vec![4, 7]];
        assert_eq!(Ignored::new(paths.iter().map(Vec::as_slice)).paths(), paths);
    }

    #[test]
    fn a_key_tells_its_arguments() {
        let (none, some) = (Ignored::default(), Ignored::new([&[3_i16][..], &[4, 1, 2], &[4, 7]]));
        for ignored in [&none, &some] {
            let scope = Scope {
                backend: "b",
                service: b"S",
                method: b"get",
                spelling: Spelling::Plain,
                protocol: Protocol::Compact,
                revision: 9,
                ignored,
            };
            let key = [Prefix::new(&scope).as_bytes(), b"arguments"].concat();
            let parts = Parts::of(&key);
            assert_eq!((parts.backend, parts.arguments()), (&b"b"[..], Some(&b"arguments"[..])));
            for end in 0..key.len() - b"arguments".len() {
                assert_eq!(Parts::of(&key[..end]).arguments(), None, "{end}");
            }
        }
    }

    #[test]
    fn a_key_tells_as_whom_its_call_was_made() {
        let prefix = key(Protocol::Binary);
        let prefix = prefix.strip_suffix(b"arguments").unwrap();
        for identity in [&[][..], &[7; 32]] {
            let key = [prefix, &[8, 0, 1, 0, 0, 0, 9, 0], identity].concat();
            let parts = Parts::of(&key);
            assert_eq!(parts.arguments(), Some(&[8, 0, 1, 0, 0, 0, 9, 0][..]));
            assert_eq!(parts.identity(), Some(identity));
        }
    }

    fn key(protocol: Protocol) -> Vec<u8> {
        let scope = Scope {
            backend: "b",
            service: b"S",
            method: b"get",
            spelling: Spelling::Plain,
            protocol,
            revision: 0,
            ignored: &Ignored::default(),
        };
        [Prefix::new(&scope).as_bytes(), b"arguments"].concat()
    }

    #[test]
    fn a_key_tells_what_covers_it() {
        assert_eq!(place(&key(Protocol::Binary)), covering(b"S", b"get"));
        assert_eq!(place(b"no key"), covering(b"", b""));
    }

    #[test]
    fn keys_that_differ_in_the_protocol_differ_in_nothing_else() {
        let (binary, compact) = (key(Protocol::Binary), key(Protocol::Compact));
        let (one, other) = (Parts::of(&binary), Parts::of(&compact));
        assert_eq!((one.service, one.method), (&b"S"[..], &b"get"[..]));
        assert_eq!([one.protocol, other.protocol], [Some(Protocol::Binary), Some(Protocol::Compact)]);
        assert_eq!(one.rest, other.rest);
        assert_eq!(one.rest.concat().len(), binary.len() - 1);
    }

    #[test]
    fn what_is_no_key_is_taken_apart_all_the_same() {
        let whole = key(Protocol::Compact);
        for bytes in (0..whole.len()).map(|end| &whole[..end]).chain([&b"no key"[..], &[0; 13], &[255; 20]]) {
            let parts = Parts::of(bytes);
            let told = usize::from(parts.protocol.is_some());
            assert_eq!(parts.rest.concat().len(), bytes.len() - told, "{bytes:?}");
        }
    }

    #[test]
    fn a_whole_field_covers_its_parts() {
        let ignored = Ignored::new([&[1_i16][..], &[1, 2]]);
        assert!(matches!(ignored.of(1), LeftOut::Whole));
        assert!(matches!(ignored.of(2), LeftOut::Nothing));
    }
}
