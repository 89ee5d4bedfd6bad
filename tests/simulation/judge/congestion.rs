//! When a client's socket takes no more, so that what is answered waits in the gateway.

use super::record::Reply;
use crate::history::{Did, Moment};

/// The times in which as much lay unread on its way to a client as its buffers hold.
#[derive(Debug, Default)]
pub(crate) struct Congestion {
    unread: usize,
    /// Since when.
    since: Option<Moment>,
    /// The times that are over: what was answered in one was written at its end at the earliest.
    over: Vec<(Moment, Moment)>,
}

impl Congestion {
    /// Notes bytes that were written to a client, or that it read.
    pub(super) fn pass(&mut self, at: Moment, did: Did, bytes: usize, buffer: usize) {
        match did {
            Did::WroteToClient => self.unread += bytes,
            Did::ClientRead => self.unread = self.unread.saturating_sub(bytes),
            Did::ReadFromClient | Did::ReadFromBackend | Did::WroteToBackend => return,
        }
        match (self.unread >= buffer, self.since) {
            (true, None) => match self.over.pop_if(|(_, end)| *end == at) {
                // What was read and written in one moment has let no time pass.
                Some((since, _)) => self.since = Some(since),
                None => self.since = Some(at),
            },
            (false, Some(since)) => {
                self.over.push((since, at));
                self.since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// The first moment in which a reply may have been answered: it is written at once, unless the socket takes no more.
    pub(super) fn answered(&self, reply: &Reply) -> Moment {
        let written = reply.written;
        let over = self.over.iter().copied().chain(self.since.map(|since| (since, Moment::MAX)));
        let mut waited = over.filter(|(since, until)| *since < written && *until >= written);
        waited.next().map_or(written, |(since, _)| since)
    }
}
