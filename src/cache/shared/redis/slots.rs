//! Which server of a cluster owns which keys: hash slots, as the Redis Cluster specification has them.

use redis::Value;

use super::place::Place;

/// How many slots a cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// The slot of a key: CRC16 of it, or of what is between its first `{` and the next `}` if that is not empty.
pub(super) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16(hashed.as_bytes()) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

/// Slots that one primary owns, in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Place,
}

/// What `CLUSTER SLOTS` says, asked of the server at `asked`. `None` if it is no such answer, or of more primaries than `most`.
pub(super) fn ranges(answer: Value, asked: &Place, most: usize) -> Option<Vec<Range>> {
    let Value::Array(rows) = answer else {
        return None;
    };
    let ranges: Vec<Range> = rows.into_iter().map(|row| range(row, asked)).collect::<Option<_>>()?;
    let mut primaries: Vec<&Place> = ranges.iter().map(|range| &range.primary).collect();
    primaries.sort_unstable();
    primaries.dedup();
    (primaries.len() <= most).then_some(ranges)
}

fn range(row: Value, asked: &Place) -> Option<Range> {
    let Value::Array(row) = row else {
        return None;
    };
    let mut row = row.into_iter();
    let (first, last, primary) = (number(row.next()?)?, number(row.next()?)?, row.next()?);
    let Value::Array(primary) = primary else {
        return None;
    };
    let mut primary = primary.into_iter();
    // One that does not know what it is called tells nothing.
    let host: Option<String> = redis::from_redis_value(primary.next()?).ok()?;
    let host = host.unwrap_or_default();
    let primary = asked.beside(&host, number(primary.next()?)?);
    (first <= last && last < SLOTS).then_some(Range { first, last, primary })
}

fn number(value: Value) -> Option<u16> {
    redis::from_redis_value::<i64>(value).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_what_the_specification_says() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("{foo}.bar"), slot("foo"));
        assert_eq!(slot("a{foo}{bar}"), slot("foo"));
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{bar"), crc16(b"foo{bar") % SLOTS);
    }

    fn answer(text: &str) -> Value {
        redis::parse_redis_value(text.as_bytes()).unwrap()
    }

    #[test]
    fn slots_have_primaries() {
        let asked = Place::Host("10.0.0.9".to_owned(), 7);
        let primary = |host: &str| Place::Host(host.to_owned(), 7000);
        let row = |host: &str| format!("*1\r\n*3\r\n:0\r\n:5\r\n*3\r\n{host}\r\n:7000\r\n$2\r\nid\r\n");
        let told = |host: &str| {
            let ranges = ranges(answer(&row(host)), &asked, 1)?;
            assert_eq!((ranges[0].first, ranges[0].last), (0, 5));
            Some(ranges[0].primary.clone())
        };
        assert_eq!(told("$8\r\n10.0.0.1"), Some(primary("10.0.0.1")));
        assert_eq!(told("$0\r\n"), Some(primary("10.0.0.9")));
        assert_eq!(told("$-1"), Some(primary("10.0.0.9")));
        assert_eq!(told("*0"), None);
        assert_eq!(ranges(answer("*0\r\n"), &asked, 1), Some(vec![]));
        assert_eq!(ranges(answer("+OK\r\n"), &asked, 1), None);
        assert_eq!(ranges(answer(&row("$1\r\na")), &asked, 0), None, "more than are looked after");
    }

    #[test]
    fn what_is_no_slot_is_no_answer() {
        let asked = Place::Host("10.0.0.9".to_owned(), 7);
        for (first, last) in [(0, 16_384), (5, 4), (-1, 3), (70_000, 70_001)] {
            let text = format!("*1\r\n*3\r\n:{first}\r\n:{last}\r\n*2\r\n$1\r\na\r\n:1\r\n");
            assert_eq!(ranges(answer(&text), &asked, 9), None, "{first} to {last}");
        }
    }
}
