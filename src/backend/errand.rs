//! What a lane is given to do, and what it says came of it.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::answer::Cut;
use super::connection::{Broken, Verified};
use crate::call::Call;

/// A call, and where to say what came of it. Whoever stops listening takes the call back, if it has not begun to leave.
#[derive(Debug)]
pub(super) enum Errand {
    /// It has no reply.
    Send(Call, oneshot::Sender<Result<(), Broken>>),
    Exchange(Rider),
}

/// A call that is answered. Whoever stops listening ends the lane where its reply would be due.
#[derive(Debug)]
pub(super) struct Rider {
    pub(super) call: Call,
    /// What it may take from the moment on that nothing before it is unanswered.
    pub(super) timeout: Option<Duration>,
    pub(super) told: oneshot::Sender<Told>,
}

/// What came of a call that is answered.
#[derive(Debug)]
pub(super) enum Told {
    /// Its reply.
    Reply(Verified),
    /// What ended the lane while its reply was due.
    Cut(Cut),
    /// The lane ended with a call before it. It has left, at least in part.
    Behind,
    /// The lane is over, and no byte of it has left: it may go elsewhere. Those behind it are told when this is dropped.
    Back(DropGuard),
}

impl Errand {
    /// Gives it back unsent, and waits until a call has ended that goes elsewhere.
    pub(super) async fn give_back(self) {
        match self {
            Self::Send(_, done) => _ = done.send(Err(Broken::Unsent)),
            Self::Exchange(rider) => {
                let ended = CancellationToken::new();
                // Where nobody listens, it is dropped at once.
                let _heard_or_not = rider.told.send(Told::Back(ended.clone().drop_guard()));
                ended.cancelled().await;
            }
        }
    }
}
