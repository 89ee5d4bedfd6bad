//! Replies compressed with zstd.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zstd::bulk::{Compressor, Decompressor};

/// What zstd works with, kept from one reply to the next: to make it anew costs several times what a short reply does. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Zstd {
    compressors: Arc<Resting<Compressor<'static>>>,
    decompressors: Arc<Resting<Decompressor<'static>>>,
}

/// Those that nobody uses now.
struct Resting<T>(Mutex<Vec<T>>);

impl Zstd {
    /// `body` in fewer bytes, if there is a way.
    pub(super) fn smaller(&self, body: &[u8]) -> Option<Vec<u8>> {
        // It is given no more room than there is use for, and stops where that is not enough.
        let mut compressed = Vec::with_capacity(body.len().checked_sub(1)?);
        let mut compressor = self.compressors.take().or_else(|| Compressor::new(LEVEL).ok())?;
        compressor.compress_to_buffer(body, &mut compressed).ok()?;
        self.compressors.put(compressor);
        (compressed.len() < body.len()).then_some(compressed)
    }

    /// What `stored` was before, if that had `length` bytes. No more than those are allocated.
    pub(super) fn whole(&self, stored: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut body = Vec::with_capacity(length);
        let mut decompressor = self.decompressors.take().or_else(|| Decompressor::new().ok())?;
        decompressor.decompress_to_buffer(stored, &mut body).ok()?;
        self.decompressors.put(decompressor);
        (body.len() == length).then_some(body)
    }
}

impl<T> Resting<T> {
    fn take(&self) -> Option<T> {
        // What it holds is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Puts one back that did not fail.
    fn put(&self, one: T) {
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.len() < RESTING_MAX {
            resting.push(one);
        }
    }
}

impl<T> Default for Resting<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").finish_non_exhaustive()
    }
}

/// The fastest of zstd's usual levels: 64 KiB take about a tenth of a millisecond.
const LEVEL: i32 = 1;
/// As many as threads may work at once on most machines; one has some 100 KiB, up to 1 MiB after large replies.
const RESTING_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn what_is_smaller_comes_back_whole() {
        let body = b"the same again, ".repeat(1_000);
        let zstd = Zstd::default();
        let stored = zstd.smaller(&body).unwrap();
        assert!(stored.len() < 200, "{}", stored.len());
        assert_eq!(zstd.whole(&stored, body.len()), Some(body.clone()));
        for other in [0, 1, body.len() - 1, body.len() + 1] {
            assert_eq!(zstd.whole(&stored, other), None, "{other} bytes");
        }
    }

    #[test]
    fn what_does_not_become_smaller_is_left() {
        let noise: Vec<u8> = StdRng::seed_from_u64(1).random_iter().take(5_000).collect();
        for body in [&b""[..], b"a", b"short", &noise] {
            assert_eq!(Zstd::default().smaller(body), None, "{} bytes", body.len());
        }
    }

    #[test]
    fn a_bomb_takes_no_more_than_it_may() {
        let zstd = Zstd::default();
        let bomb = zstd.smaller(&vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert_eq!(zstd.whole(&bomb, 1 << 20), None);
    }

    #[test]
    fn what_is_not_compressed_is_nothing() {
        assert_eq!(Zstd::default().whole(b"no zstd", 100), None);
        assert_eq!(Zstd::default().whole(b"", 100), None);
    }

    #[test]
    fn what_did_not_fail_is_used_again() {
        let zstd = Zstd::default();
        let body = b"the same again, ".repeat(1_000);
        for _ in 0..3 {
            let stored = zstd.smaller(&body).unwrap();
            assert_eq!(zstd.whole(&stored, body.len()).as_ref(), Some(&body));
        }
        let resting = (zstd.compressors.0.lock().unwrap().len(), zstd.decompressors.0.lock().unwrap().len());
        assert_eq!(resting, (1, 1));
        assert_eq!(zstd.whole(b"no zstd", 100), None);
        assert!(zstd.decompressors.take().is_none(), "who knows what is left in it");
    }
}
