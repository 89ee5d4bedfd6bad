//! Who gets a permit, and who goes before whom.

use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;

use super::*;

/// Where calls stand, and how they ended.
struct Counter {
    line: Arc<Line>,
    served: Arc<Mutex<Vec<&'static str>>>,
}

/// A call.
#[derive(Clone)]
struct Who {
    name: &'static str,
    rank: Rank,
    method: usize,
    is_miss: bool,
    until: Option<Instant>,
    client: u64,
    demand: Arc<Demand>,
}

fn who(name: &'static str, client: u64) -> Who {
    let demand = Arc::new(Demand::new(Need::Bare));
    Who { name, rank: Rank::First, method: 0, is_miss: false, until: None, client, demand }
}

fn among(method: usize) -> Among {
    Among { method: Some(method), is_miss: false }
}

impl Who {
    fn needs(self, need: Need) -> Self {
        Self { demand: Arc::new(Demand::new(need)), ..self }
    }

    fn of(self, method: usize) -> Self {
        Self { method, ..self }
    }

    /// A miss whose time is over at a moment.
    fn misses(self, until: Option<Instant>) -> Self {
        Self { is_miss: true, until, ..self }
    }

    fn ranked(self, rank: Rank) -> Self {
        Self { rank, ..self }
    }

    fn refresh(name: &'static str) -> Self {
        who(name, 0).needs(Need::Refresh).ranked(Rank::Refresh)
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            rank: self.rank,
            among: Among { is_miss: self.is_miss, ..among(self.method) },
            client: ClientId(self.client),
            demand: &self.demand,
            until: self.until,
            refreshing_max: 2,
        }
    }
}

impl Counter {
    fn of(permits: usize, waiting_max: usize) -> Self {
        Self { line: Arc::new(Line::new(permits, waiting_max)), served: Arc::default() }
    }

    fn take(&self, who: &Who) -> Option<Permit> {
        self.line.take(who.wish())
    }

    /// Permits for as many calls of a method as may have them.
    fn fill(&self, method: usize) -> Vec<Permit> {
        std::iter::from_fn(|| self.take(&who("fills", 0).of(method))).collect()
    }

    /// Has a call stand in the line until it is served, and then leave at once.
    async fn stand(&self, who: &Who) -> JoinHandle<Result<(), Unserved>> {
        let (line, served, who) = (Arc::clone(&self.line), Arc::clone(&self.served), who.clone());
        let standing = tokio::spawn(async move {
            let _permit = line.stand(who.wish(), None, || {}).await?;
            served.lock().unwrap().push(who.name);
            Ok(())
        });
        tokio::task::yield_now().await;
        standing
    }

    /// The names of those served so far.
    async fn served(&self) -> Vec<&'static str> {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut *self.served.lock().unwrap())
    }
}

#[tokio::test]
async fn first_tries_go_before_retries_and_calls_before_refreshes_and_what_finds_out_before_all() {
    let at = Counter::of(1, 10);
    let held = at.fill(0);
    for one in [
        Who::refresh("refresh"),
        who("retry", 1).ranked(Rank::Later),
        who("first", 1),
        who("second", 1),
        who("other", 2),
        who("probe", 3).ranked(Rank::Probe),
    ] {
        at.stand(&one).await;
    }
    drop(held);
    assert_eq!(at.served().await, ["probe", "first", "other", "second", "retry", "refresh"]);
}

#[tokio::test]
async fn refreshes_take_no_more_than_their_part_and_one_that_is_waited_for_is_none() {
    let at = Counter::of(4, 10);
    let held = [at.take(&Who::refresh("r1")), at.take(&Who::refresh("r2"))];
    assert!(held.iter().all(Option::is_some) && at.take(&Who::refresh("r3")).is_none());
    let (third, fourth) = (Who::refresh("r3"), Who::refresh("r4"));
    at.stand(&third).await;
    at.stand(&fourth).await;
    assert!(at.served().await.is_empty());
    fourth.demand.grow(Need::Bare);
    assert_eq!(at.served().await, ["r4"]);
    drop(held);
    assert_eq!(at.served().await, ["r3"]);
}

#[tokio::test]
async fn one_method_leaves_the_last_quarter_to_others_once_there_are_any() {
    let at = Counter::of(8, 10);
    assert_eq!(at.fill(0).len(), 8, "nobody else is asked");
    drop(at.take(&who("other", 0).of(1)));
    let held = at.fill(0);
    assert_eq!(held.len(), 6);
    at.stand(&who("hung", 0)).await;
    at.stand(&who("well", 0).of(1)).await;
    assert_eq!(at.served().await, ["well"]);
    drop(held);
    assert_eq!(at.served().await, ["hung"]);
}

#[tokio::test]
async fn who_has_an_old_entry_waits_where_all_is_well_and_not_for_what_had_too_much() {
    let (at, now) = (Counter::of(8, 10), Instant::now());
    let mut held = at.fill(0);
    let spared = who("spared", 1).needs(Need::Spared);
    at.stand(&spared).await;
    held.pop();
    assert_eq!(at.served().await, ["spared"]);
    at.line.too_much(among(0), now, now);
    held.truncate(6);
    assert!(at.take(&spared).is_none(), "three quarters of eight are left");
    let refused = at.stand(&spared).await.await.unwrap();
    assert_eq!(refused, Err(Unserved::Full(0)));
    let waits = at.stand(&who("bare", 1)).await;
    assert!(at.served().await.is_empty() && !waits.is_finished());
    assert!(at.take(&spared.of(1)).is_some(), "another method had not");
    held.pop();
    assert_eq!(at.served().await, ["bare"]);
}

#[tokio::test]
async fn a_limit_grows_with_answers_and_lets_those_in_who_wait() {
    let (at, now) = (Counter::of(64, 10), Instant::now());
    at.line.ramp(None, 50, now);
    let held = at.fill(0);
    assert_eq!((held.len(), at.line.limit()), (5, Some(5)));
    at.stand(&who("waits", 1)).await;
    let answered = |at: &Counter, after| {
        let heard = Heard::new(now, now + after, None);
        (0..5).for_each(|_| _ = at.line.answered(among(0), heard));
    };
    answered(&at, Duration::ZERO);
    assert!(at.served().await.is_empty());
    assert!(at.take(&who("probe", 1).ranked(Rank::Probe)).is_some());
    answered(&at, Duration::from_millis(250));
    assert_eq!((at.served().await, at.line.limit()), (vec!["waits"], Some(10)));
}

const MISSES: Among = Among { method: Some(0), is_miss: true };

impl Counter {
    /// Permits for as many misses as may have them.
    fn fill_with_misses(&self) -> Vec<Permit> {
        std::iter::from_fn(|| self.take(&who("fills", 0).misses(None))).collect()
    }

    /// So many misses were answered after so long, when that is usual or slow.
    fn misses_take(&self, count: usize, sent: Instant, took: Duration, slow: bool) {
        let heard = Heard { sent, at: sent + took, slow: Some(slow) };
        (0..count).for_each(|_| _ = self.line.answered(MISSES, heard));
    }
}

#[tokio::test]
async fn misses_are_few_at_first_and_leave_the_rest_to_others() {
    let (at, now) = (Counter::of(64, 10), Instant::now());
    let misses = at.fill_with_misses();
    assert_eq!(misses.len(), 4);
    assert!(at.take(&who("passes", 1)).is_some());
    at.stand(&who("miss", 1).misses(None)).await;
    let spared = at.stand(&who("spared", 1).needs(Need::Spared).misses(None)).await;
    assert_eq!(spared.await.unwrap(), Err(Unserved::Shed(1)), "an old entry answers it");
    at.misses_take(5, now, Duration::from_millis(250), false);
    assert_eq!((at.served().await, at.line.misses()), (vec!["miss"], (Some(8), 4)));
    drop(misses);
}

#[tokio::test]
async fn a_full_line_of_misses_turns_nobody_away_who_is_none() {
    let at = Counter::of(5, 1);
    let mut held = at.fill_with_misses();
    held.push(at.take(&who("passes", 1).of(1)).unwrap());
    let miss = at.stand(&who("miss", 1).misses(None)).await;
    at.stand(&who("passes", 1).of(1)).await;
    assert_eq!(miss.await.unwrap(), Err(Unserved::Shed(1)));
    held.pop();
    assert_eq!(at.served().await, ["passes"]);
}

#[tokio::test(start_paused = true)]
async fn a_miss_that_would_come_too_late_is_shed_at_once() {
    let (at, now, second) = (Counter::of(64, 10), Instant::now(), Duration::from_secs(1));
    // Slow with four of them: more cannot be borne.
    let mut held = at.fill_with_misses();
    at.misses_take(5, now, second / 2, true);
    let until = |time| Some(Instant::now() + time);
    let soon = at.stand(&who("soon", 1).misses(until(second / 2))).await;
    assert_eq!(soon.await.unwrap(), Err(Unserved::Shed(0)));
    let waits = at.stand(&who("waits", 1).misses(until(second * 3 / 2))).await;
    let later = at.stand(&who("later", 1).misses(until(second * 2))).await;
    tokio::time::advance(second).await;
    held.pop();
    assert_eq!(at.served().await, ["later"]);
    assert_eq!(waits.await.unwrap(), Err(Unserved::Shed(0)), "its time has gone by in the line");
    later.await.unwrap().unwrap();
}

#[tokio::test]
async fn where_something_is_lost_misses_begin_with_as_many_as_there_were() {
    let (at, now) = (Counter::of(64, 10), Instant::now());
    let long = |n| now + Duration::from_millis(250) * n;
    (1..=5).for_each(|n| at.misses_take(64, long(n), Duration::ZERO, false));
    assert_eq!(at.line.misses(), (None, 0), "what has begun well has no limit any more");
    at.line.ramp_misses(12, now);
    assert_eq!(at.fill_with_misses().len(), 12);
    at.line.ramp(None, 100, now);
    assert_eq!((at.line.misses().0, at.line.limit()), (None, Some(10)), "one number for all of them");
}

#[tokio::test]
async fn a_full_line_turns_away_who_needs_it_least() {
    let at = Counter::of(1, 2);
    let held = at.fill(0);
    let refresh = at.stand(&Who::refresh("refresh")).await;
    let first = at.stand(&who("a1", 1)).await;
    let second = at.stand(&who("a2", 1)).await;
    assert_eq!(refresh.await.unwrap(), Err(Unserved::Full(2)));
    let third = at.stand(&who("a3", 1)).await;
    assert_eq!(third.await.unwrap(), Err(Unserved::Full(2)));
    at.stand(&who("b1", 2)).await;
    assert_eq!(second.await.unwrap(), Err(Unserved::Full(2)), "two of one client");
    drop(held);
    assert_eq!(at.served().await, ["a1", "b1"]);
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_waits_at_an_endpoint_that_leaves_the_rotation_is_sent_elsewhere() {
    let at = Counter::of(1, 10);
    let _held = at.fill(0);
    let waits = at.stand(&who("waits", 1)).await;
    let probe = at.stand(&who("probe", 1).ranked(Rank::Probe)).await;
    at.line.move_on();
    assert_eq!(waits.await.unwrap(), Err(Unserved::Moved));
    assert!(!probe.is_finished());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_at_the_moment_at_which_he_is_served_leaves_nothing_behind() {
    let at = Counter::of(1, 10);
    let held = at.fill(0);
    let leaves = at.stand(&who("leaves", 1)).await;
    drop(held);
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    assert!(at.take(&who("next", 1)).is_some());
    let held = at.fill(0);
    let (one, soon) = (who("late", 1), Instant::now() + Duration::from_secs(1));
    let late = at.line.stand(one.wish(), Some(soon), || {}).await;
    assert_eq!(late.unwrap_err(), Unserved::Full(1), "he himself");
    assert_eq!((Instant::now(), at.line.waiting()), (soon, 0));
    drop(held);
}

#[tokio::test]
async fn a_line_of_another_size_gives_out_as_many_as_there_are_then() {
    let at = Counter::of(3, 10);
    let mut held = at.fill(0);
    assert_eq!((held.len(), at.line.size()), (3, 3));
    at.line.resize(1, 10);
    held.pop();
    assert!(at.take(&who("a", 1)).is_none(), "two are out, and there should be one");
    held.pop();
    assert!(at.take(&who("a", 1)).is_none());
    at.stand(&who("waits", 1)).await;
    at.line.resize(2, 10);
    assert_eq!(at.served().await, ["waits"]);
    drop(held);
    assert_eq!(at.fill(0).len(), 2);
}
