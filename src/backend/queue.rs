//! Who waits, in the order in which they are served: by rank, and within it one of each client after the other.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use crate::call::ClientId;
use crate::need::{Demand, Need};

/// What a permit is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) rank: Rank,
    /// Nobody's, if it is held for more than a call.
    pub(super) among: Among,
    pub(super) client: ClientId,
    pub(super) demand: &'a Demand,
    /// When its call's time is over.
    pub(super) until: Option<Instant>,
    /// How many calls may refresh at once.
    pub(super) refreshing_max: usize,
}

/// Before whom a call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rank {
    /// It finds out whether something is back.
    Probe,
    /// A call that was not tried yet.
    First,
    /// A further try.
    Later,
    /// Nobody waits for it.
    Refresh,
}

/// Among whose calls one is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Among {
    /// Nobody's, if it is none of a method's calls.
    pub(super) method: Option<usize>,
    /// Whether it comes because nothing is kept which answers it.
    pub(super) is_miss: bool,
}

/// A place in the order.
///
/// Each client's next call is a round after its last: so the clients take turns, whoever sends more (fair queueing, of calls that all cost
/// one; Demers, Keshav and Shenker 1989).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    rank: Rank,
    round: u64,
    number: u64,
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Waiter<T> {
    pub(super) client: ClientId,
    pub(super) need: Need,
    pub(super) among: Among,
    /// When its call's time is over.
    pub(super) until: Option<Instant>,
    pub(super) tell: T,
}

/// All who wait.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiters: BTreeMap<Place, Waiter<T>>,
    clients: HashMap<(Rank, ClientId), Client>,
    /// The round of who was served last.
    round: u64,
    numbers: u64,
}

#[derive(Debug)]
struct Client {
    waiting: usize,
    /// Of its last call.
    round: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiters: BTreeMap::new(), clients: HashMap::new(), round: 0, numbers: 0 }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Takes one in.
    pub(super) fn push(&mut self, rank: Rank, waiter: Waiter<T>) -> Place {
        let first = self.round;
        let client = self.clients.entry((rank, waiter.client)).or_insert(Client { waiting: 0, round: 0 });
        client.round = first.max(client.round + u64::from(client.waiting > 0));
        client.waiting += 1;
        self.numbers += 1;
        let place = Place { rank, round: client.round, number: self.numbers };
        self.waiters.insert(place, waiter);
        place
    }

    /// How many go before this place of those that `count`.
    pub(super) fn ahead(&self, place: Place, count: impl Fn(&Waiter<T>) -> bool) -> usize {
        self.waiters.range(..place).filter(|(_, waiter)| count(waiter)).count()
    }

    /// Takes one out, if it is still there.
    pub(super) fn remove(&mut self, place: Place) -> Option<Waiter<T>> {
        let waiter = self.waiters.remove(&place)?;
        let client = (place.rank, waiter.client);
        if let Some(calls) = self.clients.get_mut(&client) {
            calls.waiting -= 1;
            if calls.waiting == 0 {
                self.clients.remove(&client);
            }
        }
        Some(waiter)
    }

    /// Takes the first out that `fits`.
    pub(super) fn serve(&mut self, fits: impl Fn(Rank, &Waiter<T>) -> bool) -> Option<(Rank, Waiter<T>)> {
        let (place, _) = self.waiters.iter().find(|(place, waiter)| fits(place.rank, waiter))?;
        let place = *place;
        self.round = self.round.max(place.round);
        self.remove(place).map(|waiter| (place.rank, waiter))
    }

    /// Takes those out that `go`, in their order.
    pub(super) fn extract(&mut self, go: impl Fn(Rank, &Waiter<T>) -> bool) -> Vec<Waiter<T>> {
        let going = self.waiters.iter().filter(|(place, waiter)| go(place.rank, waiter));
        let places: Vec<Place> = going.map(|(place, _)| *place).collect();
        places.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// Takes out who gives way to a newcomer of this rank, need and client: the one who came last of those who need it least; then of
    /// those who are `stuck` anyway, if the newcomer is not; then of the client that has most calls here. None if it is the newcomer.
    pub(super) fn displace(
        &mut self,
        (rank, need, client): (Rank, Need, ClientId),
        stuck: Option<impl Fn(&Waiter<T>) -> bool>,
    ) -> Option<Waiter<T>> {
        let own = needed(rank, need);
        let least = self.displaceable().map(|(place, waiter)| needed(place.rank, waiter.need)).min()?;
        let newest = |fits: &dyn Fn(&Waiter<T>) -> bool| {
            let fitting = self
                .displaceable()
                .filter(|(place, waiter)| needed(place.rank, waiter.need) == least && fits(waiter));
            fitting.map(|(place, _)| place).max_by_key(|place| place.number)
        };
        let place = match least.cmp(&own) {
            Ordering::Less => newest(&|_| true),
            Ordering::Equal => stuck.and_then(|stuck| newest(&stuck)).or_else(|| {
                let (count, most) = self.most(rank)?;
                let waiting = self.clients.get(&(rank, client)).map_or(0, |own| own.waiting);
                (waiting + 1 < count).then(|| newest(&|waiter| waiter.client == most)).flatten()
            }),
            Ordering::Greater => None,
        };
        self.remove(place?)
    }

    fn displaceable(&self) -> impl Iterator<Item = (Place, &Waiter<T>)> {
        let all = self.waiters.iter().map(|(place, waiter)| (*place, waiter));
        all.filter(|(place, _)| place.rank != Rank::Probe)
    }

    /// The client that has most calls of this rank here.
    fn most(&self, rank: Rank) -> Option<(usize, ClientId)> {
        let all = self.clients.iter().filter(|((of, _), _)| *of == rank);
        all.map(|((_, id), client)| (client.waiting, *id)).max()
    }
}

/// How much a place is needed, least first.
fn needed(rank: Rank, need: Need) -> (Need, Reverse<Rank>) {
    (need, Reverse(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Names = Queue<&'static str>;

    fn among(method: Option<usize>) -> Among {
        Among { method, is_miss: false }
    }

    fn one(client: u64, need: Need, tell: &'static str) -> Waiter<&'static str> {
        Waiter { client: ClientId(client), need, among: among(None), until: None, tell }
    }

    fn bare(client: u64, tell: &'static str) -> Waiter<&'static str> {
        one(client, Need::Bare, tell)
    }

    fn order(queue: &mut Names) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.serve(|_, _| true).map(|(_, waiter)| waiter.tell)).collect()
    }

    const NEVER: Option<fn(&Waiter<&'static str>) -> bool> = None;

    #[test]
    fn clients_take_turns_whoever_sends_more() {
        let mut queue = Names::default();
        for tell in ["a1", "a2", "a3"] {
            queue.push(Rank::First, bare(1, tell));
        }
        queue.push(Rank::First, bare(2, "b1"));
        assert_eq!(queue.serve(|_, _| true).unwrap().1.tell, "a1");
        queue.push(Rank::First, bare(3, "c1"));
        queue.push(Rank::First, bare(2, "b2"));
        assert_eq!(order(&mut queue), ["b1", "c1", "a2", "b2", "a3"]);
        queue.push(Rank::First, bare(4, "d1"));
        queue.push(Rank::First, bare(1, "a4"));
        assert_eq!(order(&mut queue), ["d1", "a4"], "nothing is held against who sent more before");
    }

    #[test]
    fn a_rank_goes_before_the_next_and_who_does_not_fit_is_passed_by() {
        let mut queue = Names::default();
        queue.push(Rank::Refresh, one(1, Need::Refresh, "refresh"));
        queue.push(Rank::Later, bare(1, "later"));
        queue.push(Rank::First, bare(1, "first"));
        queue.push(Rank::Probe, one(1, Need::Refresh, "probe"));
        assert_eq!(queue.serve(|rank, _| rank > Rank::First).unwrap().1.tell, "later");
        assert_eq!(order(&mut queue), ["probe", "first", "refresh"]);
    }

    #[test]
    fn a_full_line_displaces_who_needs_it_least_and_then_of_who_has_most() {
        let mut queue = Names::default();
        for waiter in [bare(1, "a1"), bare(1, "a2"), bare(2, "b1"), one(2, Need::Spared, "b2")] {
            queue.push(Rank::First, waiter);
        }
        queue.push(Rank::Refresh, one(3, Need::Refresh, "c1"));
        queue.push(Rank::Refresh, one(3, Need::Refresh, "c2"));
        let mut gives_way = |rank, need, client| {
            let displaced = queue.displace((rank, need, ClientId(client)), NEVER);
            displaced.map(|waiter| waiter.tell)
        };
        assert_eq!(gives_way(Rank::Refresh, Need::Refresh, 3), None);
        assert_eq!(gives_way(Rank::First, Need::Bare, 1), Some("c2"));
        assert_eq!(gives_way(Rank::First, Need::Spared, 1), Some("c1"));
        assert_eq!(gives_way(Rank::First, Need::Spared, 1), None);
        assert_eq!(gives_way(Rank::Later, Need::Bare, 1), Some("b2"));
        assert_eq!(gives_way(Rank::First, Need::Bare, 2), None, "two each would be no fairer");
        assert_eq!(gives_way(Rank::First, Need::Bare, 5), Some("a2"));
        assert_eq!(gives_way(Rank::First, Need::Bare, 5), None);
    }

    #[test]
    fn who_is_stuck_gives_way_to_who_is_not() {
        let mut queue = Names::default();
        queue.push(Rank::First, Waiter { among: among(Some(7)), ..bare(1, "a") });
        queue.push(Rank::First, Waiter { among: among(Some(8)), ..bare(2, "b") });
        let stuck = |waiter: &Waiter<_>| waiter.among.method == Some(7);
        let displaced = queue.displace((Rank::First, Need::Bare, ClientId(3)), Some(stuck));
        assert_eq!(displaced.unwrap().tell, "a");
        assert_eq!(order(&mut queue), ["b"]);
    }
}
