//! Replies compressed with zstd.

use zstd::bulk::{Compressor, Decompressor};

/// `body` in fewer bytes, if zstd finds a way.
pub(super) fn smaller(body: &[u8]) -> Option<Vec<u8>> {
    // It is given no more room than there is use for, and stops where that is not enough.
    let mut compressed = Vec::with_capacity(body.len().checked_sub(1)?);
    let mut compressor = Compressor::new(LEVEL).ok()?;
    compressor.compress_to_buffer(body, &mut compressed).ok()?;
    (compressed.len() < body.len()).then_some(compressed)
}

/// What `stored` was before, if that had `length` bytes. No more than those are allocated.
pub(super) fn whole(stored: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut body = Vec::with_capacity(length);
    Decompressor::new().ok()?.decompress_to_buffer(stored, &mut body).ok()?;
    (body.len() == length).then_some(body)
}

/// The fastest of zstd's usual levels: 64 KiB take about a tenth of a millisecond.
const LEVEL: i32 = 1;

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn what_is_smaller_comes_back_whole() {
        let body = b"the same again, ".repeat(1_000);
        let stored = smaller(&body).unwrap();
        assert!(stored.len() < 200, "{}", stored.len());
        assert_eq!(whole(&stored, body.len()), Some(body.clone()));
        for other in [0, 1, body.len() - 1, body.len() + 1] {
            assert_eq!(whole(&stored, other), None, "{other} bytes");
        }
    }

    #[test]
    fn what_does_not_become_smaller_is_left() {
        let noise: Vec<u8> = StdRng::seed_from_u64(1).random_iter().take(5_000).collect();
        for body in [&b""[..], b"a", b"short", &noise] {
            assert_eq!(smaller(body), None, "{} bytes", body.len());
        }
    }

    #[test]
    fn a_bomb_takes_no_more_than_it_may() {
        let bomb = smaller(&vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert_eq!(whole(&bomb, 1 << 20), None);
    }

    #[test]
    fn what_is_not_compressed_is_nothing() {
        assert_eq!(whole(b"no zstd", 100), None);
        assert_eq!(whole(b"", 100), None);
    }
}
