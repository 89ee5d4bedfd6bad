//! An entry's reply for clients of another protocol than the one it came in: translated when one of them asks, and kept beside it.

use std::sync::OnceLock;

use bytes::Bytes;

use super::Entry;
use crate::wire::Protocol;
use crate::wire::translate::{Untranslatable, translate};

/// The reply of an entry in another protocol, once somebody has asked for it. It says nothing that the entry does not, so all are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Translated(OnceLock<Box<(Protocol, Bytes)>>);

impl Translated {
    /// Heap bytes that it takes.
    pub(super) fn weight(&self) -> usize {
        self.0.get().map_or(0, |kept| size_of_val(&**kept) + kept.1.len())
    }
}

impl PartialEq for Translated {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Translated {}

impl Entry {
    /// The reply as `protocol` spells it.
    ///
    /// # Errors
    /// If it has no spelling there.
    pub(crate) fn in_protocol(&self, protocol: Protocol) -> Result<Bytes, Untranslatable> {
        if protocol == self.protocol {
            return Ok(self.body.clone());
        }
        match self.translated.0.get() {
            Some(kept) if kept.0 == protocol => Ok(kept.1.clone()),
            Some(_) | None => translate(self.protocol, protocol, &self.body).map(exactly),
        }
    }

    /// Whether it keeps its reply in another protocol too.
    pub(crate) fn is_translated(&self) -> bool {
        self.translated.0.get().is_some()
    }

    /// Keeps its reply in another protocol too, if it does so in none yet. Whoever counts what it weighs is to be told.
    pub(crate) fn keep_translated(&self, protocol: Protocol, reply: Bytes) {
        // Of two who come at once, both bring the same.
        let _kept_or_known = self.translated.0.set(Box::new((protocol, reply)));
    }
}

/// The bytes, and no room beside them.
fn exactly(bytes: Vec<u8>) -> Bytes {
    Bytes::from(bytes.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::entry::{Ending, Slot};
    use std::sync::Arc;

    const BINARY: &[u8] = &[8, 0, 0, 0, 0, 0, 7, 0];
    const COMPACT: &[u8] = &[5, 0, 14, 0];

    #[test]
    fn a_reply_is_translated_for_each_who_asks_until_that_is_kept() {
        let body = Bytes::from_static(BINARY);
        let entry = Entry::new(Millis(1), Ending::Result, Protocol::Binary, body);
        let first = entry.in_protocol(Protocol::Compact).unwrap();
        assert_eq!(first, COMPACT);
        assert_ne!(entry.in_protocol(Protocol::Compact).unwrap().as_ptr(), first.as_ptr());
        entry.keep_translated(Protocol::Compact, first.clone());
        assert_eq!(entry.in_protocol(Protocol::Compact).unwrap().as_ptr(), first.as_ptr());
        assert_eq!(entry.in_protocol(Protocol::Binary).unwrap(), BINARY);
    }

    #[test]
    fn what_is_kept_beside_it_weighs_and_tells_no_entries_apart() {
        let body = Bytes::from_static(BINARY);
        let [plain, both] =
            [(); 2].map(|()| Entry::new(Millis(1), Ending::Result, Protocol::Binary, body.clone()));
        both.keep_translated(Protocol::Compact, Bytes::from(vec![0; 1_000]));
        assert_eq!(plain, both);
        let [plain, both] = [plain, both].map(|entry| Slot::Entry(Arc::new(entry)).weight(8));
        assert!(both >= plain + 1_000, "{both} and {plain}");
    }
}
