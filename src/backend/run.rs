//! A run: calls of one client that go out on one connection without waiting for each other, and whose replies come one by one.
//!
//! A server handles the calls of a connection in their order, so each reply must be the one that is due, by its number and its name.
//! What ends the connection ends the run. The call whose reply was due learns why; those behind it that have left, if only in part, may
//! have run, and are told that they were behind it; those of which nothing has left are given back.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use super::answer::Cut;
use super::connection::{Broken, Moved, Spelled, Verified};
use super::deadline::Deadline;
use super::errand::{Errand, Rider, Told};
use super::loan::Loan;
use super::pulse::Wait;

/// Calls on one connection whose replies are due.
pub(super) struct Run<'a> {
    loan: &'a mut Loan,
    errands: &'a mut mpsc::Receiver<Errand>,
    due: VecDeque<Due>,
    /// What is not for a run, and waits until no reply is due.
    next: Option<Errand>,
    /// Whether the client may have further calls.
    open: bool,
    /// Whether nothing more can leave.
    mute: bool,
    first: Option<First>,
}

/// A call whose reply is due.
struct Due {
    rider: Rider,
    spelled: Spelled,
}

/// What is noted of the call whose reply is due first.
struct First {
    deadline: Option<Deadline>,
    /// Once it is fully written.
    wait: Option<Wait>,
    /// Whether it is the first of the run: it was sent when its wait began.
    leads: bool,
}

/// The last reply of a run, which is not told yet.
pub(super) struct Ended {
    pub(super) reply: Verified,
    pub(super) told: oneshot::Sender<Told>,
    /// What comes next on the lane.
    pub(super) next: Option<Errand>,
}

/// How a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// From this side: its peer may have calls to read and to handle.
    Left,
    /// From the other.
    Gone,
}

/// The end of a lane in a run.
pub(super) struct Failed {
    pub(super) over: Over,
    /// Calls of which nothing has left.
    pub(super) unsent: Vec<Errand>,
}

/// What happened to a run.
enum Event {
    Moved(Result<Moved, Broken>),
    Given(Option<Errand>),
    /// Nobody listens for the reply that is due.
    Left,
    Late(Deadline),
}

impl Over {
    pub(super) fn after(broken: &Broken) -> Self {
        match broken {
            Broken::Unsent | Broken::Closed(_) => Self::Gone,
            Broken::Garbage(_) | Broken::Oversized(_) => Self::Left,
        }
    }
}

impl<'a> Run<'a> {
    /// A run on a connection on which no reply is due.
    pub(super) fn new(loan: &'a mut Loan, errands: &'a mut mpsc::Receiver<Errand>) -> Self {
        loan.connection.count_anew();
        let due = VecDeque::new();
        Self { loan, errands, due, next: None, open: true, mute: false, first: None }
    }

    /// Sends a call, and those that are given meanwhile, until no reply is due.
    pub(super) async fn ride(mut self, rider: Rider) -> Result<Ended, Failed> {
        self.append(rider);
        self.begin_first(true);
        loop {
            self.take_errands();
            let cut = match self.event().await {
                Event::Moved(Ok(Moved::Replied(reply))) => match self.replied(reply) {
                    Some(ended) => return Ok(ended),
                    None => continue,
                },
                Event::Moved(Ok(Moved::Mute)) => {
                    self.mute = true;
                    continue;
                }
                Event::Moved(Ok(Moved::Wrote)) => continue,
                Event::Given(errand) => {
                    self.take(errand);
                    continue;
                }
                Event::Moved(Err(broken)) => Some(Cut::Broken(broken)),
                Event::Late(deadline) => Some(Cut::Late(deadline)),
                Event::Left => None,
            };
            return Err(self.fail(cut));
        }
    }

    /// What happens next. Before that, what is spelled out is written as far as it can be.
    async fn event(&mut self) -> Event {
        let takes = self.takes();
        let Self { loan, errands, due, mute, first, .. } = self;
        let (Some(Due { rider, spelled }), Some(first)) = (due.front_mut(), first) else {
            return Event::Left;
        };
        let connection = &mut loan.connection;
        if *mute && connection.written() <= spelled.begin {
            return Event::Moved(Err(Broken::Unsent));
        }
        if first.wait.is_none() && connection.written() >= spelled.end {
            first.wait = Some(connection.wait());
        }
        let late = async {
            match first.deadline {
                Some(deadline) => {
                    sleep_until(deadline.at).await;
                    deadline
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            moved = connection.go_on((spelled.seqid, &rider.call.name), *mute) => Event::Moved(moved),
            errand = errands.recv(), if takes => Event::Given(errand),
            () = rider.told.closed() => Event::Left,
            deadline = late => Event::Late(deadline),
        }
    }

    /// Whether another call may be taken up.
    fn takes(&self) -> bool {
        self.open && !self.mute && self.next.is_none() && self.loan.connection.has_room()
    }

    /// Spells out all calls that were given, so that they leave in one write.
    fn take_errands(&mut self) {
        while self.takes()
            && let Ok(errand) = self.errands.try_recv()
        {
            self.take(Some(errand));
        }
    }

    fn take(&mut self, errand: Option<Errand>) {
        match errand {
            Some(Errand::Exchange(rider)) => self.append(rider),
            Some(errand @ Errand::Send(..)) => self.next = Some(errand),
            None => self.open = false,
        }
    }

    fn append(&mut self, rider: Rider) {
        let spelled = self.loan.connection.append(&rider.call);
        self.due.push_back(Due { rider, spelled });
    }

    fn begin_first(&mut self, leads: bool) {
        let timeout = self.due.front().and_then(|due| due.rider.timeout);
        self.first = Some(First { deadline: Deadline::after(timeout), wait: None, leads });
    }

    /// Hands the reply on that was due. If it was the last, it is the end of the run.
    fn replied(&mut self, reply: Verified) -> Option<Ended> {
        let rider = self.due.pop_front()?.rider;
        // What overtakes another call's reply tells how many are handled at once; what was sent long before it was waited for does not.
        if let Some(First { wait: Some(wait), leads: true, .. }) = self.first.take() {
            wait.answered();
        }
        if self.due.is_empty() {
            self.take_errands();
        }
        if self.due.is_empty() {
            self.loan.connection.count_anew();
            return Some(Ended { reply, told: rider.told, next: self.next.take() });
        }
        let _heard_or_not = rider.told.send(Told::Reply(reply));
        self.begin_first(false);
        None
    }

    /// Tells all whose replies are due that there are none.
    fn fail(mut self, mut cut: Option<Cut>) -> Failed {
        let over = match &cut {
            Some(Cut::Broken(broken)) => Over::after(broken),
            Some(Cut::Late(_) | Cut::Silent(_)) | None => Over::Left,
        };
        let written = self.loan.connection.written();
        let mut unsent = Vec::new();
        for Due { rider, spelled } in self.due.drain(..) {
            if spelled.begin >= written && !matches!(cut, Some(Cut::Late(_))) {
                unsent.push(Errand::Exchange(rider));
                continue;
            }
            let told = cut.take().map_or(Told::Behind, Told::Cut);
            let _heard_or_not = rider.told.send(told);
        }
        unsent.extend(self.next.take());
        Failed { over, unsent }
    }
}
