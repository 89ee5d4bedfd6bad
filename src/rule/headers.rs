//! Info headers of calls whose replies others get too: which tell calls apart, and which go to a backend.

use std::sync::Arc;

use crate::key::canonical::Unkeyable;
use crate::wire::header::info::Info;

/// The info headers that a rule names. Upper and lower case are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    /// Those that are part of a key, in one order whatever the configuration's.
    key: Arc<[Box<str>]>,
    /// Those that go to a backend besides.
    forwarded: Arc<[Box<str>]>,
}

impl Headers {
    /// Those of `key` are part of keys and go to a backend, those of `forwarded` go there.
    pub(crate) fn new(key: &[String], forwarded: &[String]) -> Self {
        let named = |names: &[String]| {
            let mut names: Vec<Box<str>> =
                names.iter().map(|name| name.to_ascii_lowercase().into()).collect();
            names.sort();
            names.dedup();
            Arc::from(names)
        };
        Self { key: named(key), forwarded: named(forwarded) }
    }

    /// Of a caller's info headers, those that a call has whose reply others get too.
    pub(crate) fn shared(&self, info: Option<&Arc<Info>>) -> Option<Arc<Info>> {
        let mut named = self.key.iter().chain(&*self.forwarded).peekable();
        named.peek()?;
        let shared =
            info?.only(|name| named.clone().any(|named| named.as_bytes().eq_ignore_ascii_case(name)));
        (!shared.is_empty()).then(|| Arc::new(shared))
    }

    /// Appends to a key what the headers say that are part of it: their names too, so that rules with others share no keys.
    ///
    /// # Errors
    /// It is more than [`VALUES_MAX`] bytes.
    #[inline]
    pub(crate) fn put(&self, info: Option<&Arc<Info>>, key: &mut Vec<u8>) -> Result<(), Unkeyable> {
        if self.key.is_empty() { Ok(()) } else { self.put_named(info, key) }
    }

    fn put_named(&self, info: Option<&Arc<Info>>, key: &mut Vec<u8>) -> Result<(), Unkeyable> {
        let longest = key.len() + VALUES_MAX;
        key.push(self.key.len() as u8);
        for name in &*self.key {
            put_text(name.as_bytes(), key);
            let values = || info.into_iter().flat_map(|info| info.values(name.as_bytes()));
            key.extend_from_slice(&(values().count() as u32).to_be_bytes());
            values().for_each(|value| put_text(value, key));
        }
        if key.len() > longest { Err(Unkeyable::Headers) } else { Ok(()) }
    }

    /// What is left of a key without what the headers of its call say.
    pub(crate) fn strip<'a>(&self, info: Option<&Arc<Info>>, key: &'a [u8]) -> Option<&'a [u8]> {
        let mut said = Vec::new();
        self.put(info, &mut said).ok()?;
        if said.is_empty() { None } else { key.strip_suffix(&*said) }
    }
}

fn put_text(text: &[u8], key: &mut Vec<u8>) {
    key.extend_from_slice(&(text.len() as u32).to_be_bytes());
    key.extend_from_slice(text);
}

/// Bytes that headers may add to a key.
const VALUES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn info(pairs: &[(&str, &str)]) -> Arc<Info> {
        let mut info = Info::default();
        pairs.iter().for_each(|(name, value)| info.push(name.as_bytes(), value.as_bytes()));
        Arc::new(info)
    }

    fn said(key: &[&str], pairs: &[(&str, &str)]) -> Vec<u8> {
        let names: Vec<String> = key.iter().map(|&name| name.to_owned()).collect();
        let mut out = Vec::new();
        Headers::new(&names, &[]).put(Some(&info(pairs)), &mut out).unwrap();
        out
    }

    #[test]
    fn calls_differ_where_a_named_header_does() {
        let all = [
            said(&["a"], &[]),
            said(&["a"], &[("a", "")]),
            said(&["a"], &[("a", "1")]),
            said(&["a"], &[("a", "1"), ("A", "2")]),
            said(&["b"], &[("a", "1")]),
            said(&["a", "b"], &[("a", "1")]),
            said(&["a", "b"], &[("b", "1")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| other != one), "{at}");
        }
        assert_eq!(said(&["B", "a"], &[("A", "1"), ("c", "2")]), said(&["a", "b"], &[("a", "1")]));
        assert_eq!(said(&[], &[("a", "1")]), b"");
    }

    #[test]
    fn a_shared_call_has_the_named_headers_alone() {
        let headers = Headers::new(&["Tenant".to_owned()], &["trace".to_owned()]);
        let sent = info(&[("authorization", "root"), ("TENANT", "7"), ("Trace", "1")]);
        let shared = headers.shared(Some(&sent)).unwrap();
        let names: Vec<_> = shared.iter().map(|(name, _)| name.to_vec()).collect();
        assert_eq!(names, [b"TENANT".to_vec(), b"Trace".to_vec()]);
        assert!(Headers::default().shared(Some(&sent)).is_none());
        let mut key = b"key".to_vec();
        headers.put(Some(&shared), &mut key).unwrap();
        assert_eq!(headers.strip(Some(&sent), &key), Some(&b"key"[..]));
    }

    #[test]
    fn headers_that_are_too_long_make_no_key() {
        let names = ["a".to_owned()];
        let long = info(&[("a", &"x".repeat(VALUES_MAX))]);
        assert_eq!(Headers::new(&names, &[]).put(Some(&long), &mut Vec::new()), Err(Unkeyable::Headers));
    }
}
