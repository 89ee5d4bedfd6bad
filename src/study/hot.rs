//! The keys that have most of the calls.

/// What is known of the keys that are asked for most. A key that is new takes the place of the one with the fewest calls, and inherits their count, so that
/// whoever has more than a share of `1 / most` is in (Metwally et al., "Efficient Computation of Frequent and Top-k Elements in Data Streams",
/// ICDT 2005).
#[derive(Debug)]
pub(super) struct Hot<T> {
    kept: Vec<Counted<T>>,
    most: usize,
}

#[derive(Debug)]
struct Counted<T> {
    key: u64,
    count: u64,
    /// Of `count`, what others have left.
    inherited: u64,
    known: T,
}

impl<T> Counted<T> {
    /// Whether most of its count is its own. Others come and go, and nothing is known of them for long.
    fn is_sure(&self) -> bool {
        self.count >= 2 * self.inherited
    }
}

impl<T: Default> Hot<T> {
    /// At most `most` keys.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most }
    }

    /// One more call for the key with this hash: what is known of it since it is in.
    pub(super) fn of(&mut self, key: u64) -> Option<&mut T> {
        let at = match self.kept.iter().position(|counted| counted.key == key) {
            Some(at) => at,
            None if self.kept.len() < self.most => {
                self.kept.push(Counted { key, count: 0, inherited: 0, known: T::default() });
                self.kept.len() - 1
            }
            None => {
                let (at, least) =
                    self.kept.iter_mut().enumerate().min_by_key(|(_, counted)| counted.count)?;
                let count = least.count;
                *least = Counted { key, count, inherited: count, known: T::default() };
                at
            }
        };
        let counted = self.kept.get_mut(at)?;
        counted.count += 1;
        Some(&mut counted.known)
    }

    /// Whether the key with this hash is surely one of them.
    pub(super) fn has(&self, key: u64) -> bool {
        self.sure().any(|counted| counted.key == key)
    }

    /// What is known of each that is surely one of them.
    pub(super) fn each(&self) -> impl Iterator<Item = &T> {
        self.sure().map(|counted| &counted.known)
    }

    fn sure(&self) -> impl Iterator<Item = &Counted<T>> {
        self.kept.iter().filter(|counted| counted.is_sure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_many_calls_stays_in() {
        let mut hot = Hot::<u32>::new(4);
        for call in 0..1_000 {
            let key = if call % 3 == 0 { 7 } else { 1_000 + call };
            *hot.of(key).unwrap() += 1;
        }
        assert!(hot.has(7) && !hot.has(1_999));
        assert_eq!(hot.each().collect::<Vec<_>>(), [&334]);
    }
}
