//! When the bytes of a connection arrived: a call's time begins with its first byte, however long it then waits to be read.

use std::collections::VecDeque;

use tokio::time::Instant;

/// When which bytes arrived that are not taken yet.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    marks: VecDeque<Mark>,
}

/// The bytes from here to the next mark arrived together.
#[derive(Clone, Copy, Debug)]
struct Mark {
    from: u64,
    at: Instant,
}

impl Arrivals {
    /// Notes that the bytes from position `from` on arrived at `at`.
    #[inline]
    pub(super) fn note(&mut self, from: u64, at: Instant) {
        if self.marks.len() >= MARKS_MAX {
            // A call that arrives in very many pieces is taken for a little older than it is, never for younger.
            self.marks.remove(1);
        }
        self.marks.push_back(Mark { from, at });
    }

    /// When the byte at `position` arrived. Positions that are asked for never go back.
    #[inline]
    pub(super) fn of(&mut self, position: u64) -> Option<Instant> {
        while self.marks.get(1).is_some_and(|next| next.from <= position) {
            self.marks.pop_front();
        }
        self.marks.front().map(|mark| mark.at)
    }
}

/// Marks of one connection: 1.5 KiB.
const MARKS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_byte_has_the_time_of_its_read() {
        let start = Instant::now();
        let second = |count| start + Duration::from_secs(count);
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.of(0), None);
        arrivals.note(0, second(1));
        arrivals.note(10, second(2));
        arrivals.note(30, second(3));
        assert_eq!(arrivals.of(9), Some(second(1)));
        assert_eq!(arrivals.of(10), Some(second(2)));
        assert_eq!(arrivals.of(35), Some(second(3)));
    }

    #[test]
    fn very_many_pieces_take_bounded_memory_and_make_nothing_younger() {
        let start = Instant::now();
        let mut arrivals = Arrivals::default();
        for piece in 0..1_000 {
            arrivals.note(piece, start + Duration::from_secs(piece));
        }
        assert!(arrivals.marks.len() <= MARKS_MAX);
        for position in 0..1_000 {
            assert!(arrivals.of(position) <= Some(start + Duration::from_secs(position)));
        }
    }
}
