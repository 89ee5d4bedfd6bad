//! What a scripted server does with a call.

#![allow(clippy::wildcard_enum_match_arm, reason = "a script names the acts that differ")]

use std::time::Duration;

/// What a server does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Answer,
    AnswerEmpty,
    AnswerField(i16),
    Refuse,
    WrongSeqid,
    WrongName,
    WrongKind,
    AnswerTwice,
    /// Answers; and once the next call is on its way, answers that under the number that follows.
    AnswerAhead,
    AnswerHalf,
    Hang,
    HangUp,
    /// Ends the server: all its connections end, and further ones are refused.
    Die,
    AnswerAfter(Duration),
    /// Answers with the number of the call, as field id.
    AnswerCount,
    /// Answers with so many bytes.
    AnswerLarge(usize),
    /// Answers with so many structs in each other.
    AnswerDeep(usize),
    /// Answers with a number, as fb303's `getStatus` does.
    AnswerNumber(i32),
    /// Sends what is no reply at all.
    Babble(&'static [u8]),
    /// Takes this long, and answers only what expects an answer, as servers mostly do.
    Handle(Duration),
    /// Takes as many milliseconds as the method's name says, and answers.
    AnswerAsNamed,
}

impl Act {
    /// How long a call of this method takes.
    pub(super) fn time(self, method: &[u8]) -> Duration {
        match self {
            Self::AnswerAfter(time) | Self::Handle(time) => time,
            Self::AnswerAsNamed => {
                let digits: Vec<u8> = method.iter().copied().filter(u8::is_ascii_digit).collect();
                Duration::from_millis(String::from_utf8(digits).unwrap().parse().unwrap())
            }
            _ => Duration::ZERO,
        }
    }
}
