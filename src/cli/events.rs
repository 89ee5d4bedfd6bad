//! Server-sent events, out of the parts in which they come.

use std::mem;

use crate::admin::tapping::END;

/// What has come of an event that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    bytes: Vec<u8>,
    name: String,
    data: String,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// One of the many.
    Call(String),
    /// The last, and why it is.
    End(String),
}

impl Events {
    /// The events that are whole with this part.
    pub(super) fn take(&mut self, part: &[u8]) -> Vec<Event> {
        self.bytes.extend_from_slice(part);
        let whole = self.bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        let rest = self.bytes.split_off(whole);
        let lines = mem::replace(&mut self.bytes, rest);
        String::from_utf8_lossy(&lines).lines().filter_map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        let value = |prefix| line.strip_prefix(prefix).map(|value: &str| value.trim_start().to_owned());
        if let Some(name) = value("event:") {
            self.name = name;
        } else if let Some(data) = value("data:") {
            self.data = data;
        } else if line.is_empty() && !self.data.is_empty() {
            let (name, data) = (mem::take(&mut self.name), mem::take(&mut self.data));
            return Some(if name == END { Event::End(data) } else { Event::Call(data) });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text = b"data: {\"a\":1}\n\n:\n\ndata: {\"a\":2}\n\nevent: end\ndata: its time is up\n\n";
        let expected = [
            Event::Call("{\"a\":1}".to_owned()),
            Event::Call("{\"a\":2}".to_owned()),
            Event::End("its time is up".to_owned()),
        ];
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<Event> = text.chunks(size).flat_map(|part| events.take(part)).collect();
            assert_eq!(found, expected, "in parts of {size}");
        }
    }
}
