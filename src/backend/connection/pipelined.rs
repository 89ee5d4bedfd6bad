//! Calls that are written without waiting for the replies of those before them.

use tokio::io::AsyncWriteExt;

use super::{Broken, Connection, Progress, Verified, ended};
use crate::backend::pulse::Wait;
use crate::call::Call;
use crate::dial::End;

/// How a connection went on.
#[derive(Debug)]
pub(in crate::backend) enum Moved {
    /// Some of what is spelled out has left.
    Wrote,
    /// Nothing more can leave. What was answered before may still come.
    Mute,
    /// The reply that is due is here.
    Replied(Verified),
}

/// A call that was spelled out.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Spelled {
    pub(in crate::backend) seqid: i32,
    /// Where its bytes begin and end, among all that leave.
    pub(in crate::backend) begin: usize,
    pub(in crate::backend) end: usize,
}

impl Connection {
    /// Begins anew to count what is spelled out and has left. To be asked for when all of it has.
    pub(in crate::backend) fn count_anew(&mut self) {
        self.begin();
        self.turned_over = 0;
    }

    /// Spells a call out behind others, if there is room for it.
    pub(in crate::backend) fn append(&mut self, call: &Call) -> Spelled {
        if self.is_written() {
            self.turned_over += self.spelled();
            self.begin();
        }
        let begin = self.turned_over + self.spelled();
        let seqid = self.spell(call);
        Spelled { seqid, begin, end: self.turned_over + self.spelled() }
    }

    /// Whether another call may be spelled out behind what is to be written.
    pub(in crate::backend) fn has_room(&self) -> bool {
        self.is_written() || self.apart.is_empty() && self.outbound.len() < SPELLED_MAX
    }

    /// Bytes that have left.
    pub(in crate::backend) fn written(&self) -> usize {
        self.turned_over + self.written
    }

    fn is_written(&self) -> bool {
        self.written == self.spelled()
    }

    /// A call was written whose reply is waited for.
    pub(in crate::backend) fn wait(&self) -> Wait {
        self.pulse.wait()
    }

    /// Writes what is spelled out, unless it is `mute`, and reads until the reply to the call with this number is here. Nothing is lost
    /// if it is dropped halfway and begun anew.
    pub(in crate::backend) async fn go_on(
        &mut self,
        (seqid, name): (i32, &[u8]),
        mute: bool,
    ) -> Result<Moved, Broken> {
        loop {
            if let Some(reply) = self.reply_here(seqid, name).await? {
                return Ok(Moved::Replied(reply));
            }
            if mute {
                self.read().await?;
                continue;
            }
            let held = self.inbound.len();
            match self.progress(true).await {
                Progress::Wrote(Ok(count)) if count > 0 => {
                    self.written += count;
                    if self.is_written() {
                        self.stream.flush().await.map_err(|error| ended(&error))?;
                    }
                    return Ok(Moved::Wrote);
                }
                Progress::Wrote(Err(error)) if End::of(&error) == End::Lost => return Err(ended(&error)),
                Progress::Wrote(Ok(_) | Err(_)) => return Ok(Moved::Mute),
                Progress::Read(read) => self.heard(read, held)?,
            }
        }
    }
}

/// Bytes that are spelled out at one time, but for the last call: more wait until these have left.
const SPELLED_MAX: usize = 64 << 10;
