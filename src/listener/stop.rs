//! Whether the gateway stops, for a task that asks at each of its turns.

use std::pin::Pin;
use std::task::{Context, Waker};

use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// A stop that is waited for beside other things. Whom it wakes is told once, not at each turn.
pub(super) struct Stop<'a> {
    token: &'a CancellationToken,
    come: Pin<Box<WaitForCancellationFuture<'a>>>,
    wakes: Option<Waker>,
}

impl<'a> Stop<'a> {
    /// A stop that comes when `token` is cancelled.
    pub(super) fn new(token: &'a CancellationToken) -> Self {
        Self { token, come: Box::pin(token.cancelled()), wakes: None }
    }

    /// Whether it has come. If not, the task is woken when it does.
    #[inline]
    pub(super) fn has_come(&mut self, cx: &mut Context<'_>) -> bool {
        if self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return self.token.is_cancelled();
        }
        self.wakes = Some(cx.waker().clone());
        self.come.as_mut().poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::task::Poll;

    #[tokio::test]
    async fn a_task_that_has_asked_before_is_woken_by_the_stop() {
        let token = CancellationToken::new();
        let mut stop = Stop::new(&token);
        let mut turns = 0;
        let asked = poll_fn(|cx| {
            turns += 1;
            if stop.has_come(cx) { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut asked = std::pin::pin!(asked);
        // Two turns of the same task before the stop: the second tells nobody.
        for _ in 0..2 {
            assert!(futures_util::poll!(asked.as_mut()).is_pending());
        }
        tokio::join!(asked, async { token.cancel() });
        assert_eq!(turns, 4);
    }

    #[tokio::test]
    async fn another_task_is_told_anew() {
        let token = CancellationToken::new();
        let mut stop = Stop::new(&token);
        let nobody = &mut Context::from_waker(Waker::noop());
        assert!(!stop.has_come(nobody));
        let asked = poll_fn(|cx| if stop.has_come(cx) { Poll::Ready(()) } else { Poll::Pending });
        tokio::join!(asked, async { token.cancel() });
    }
}
