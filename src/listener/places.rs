//! The places of client connections: a bound on all of them, and one on those of one address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places of all listeners.
#[derive(Debug)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    most: usize,
    most_per_address: usize,
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// A place of one connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All are taken.
    All,
    /// The address has as many as it may.
    Address,
}

impl Full {
    /// The name of the exceeded limit in the configuration and in metrics.
    pub(crate) fn limit(self) -> &'static str {
        match self {
            Self::All => "connections",
            Self::Address => "connections_per_address",
        }
    }
}

impl Places {
    /// So many places, of which one address may have `most_per_address`.
    pub(crate) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        let taken = Taken { most, most_per_address, ..Taken::default() };
        Arc::new(Self { taken: Mutex::new(taken) })
    }

    /// So many from here on. Where more are taken already, none are until some are given back.
    pub(crate) fn bound(&self, most: usize, most_per_address: usize) {
        let mut taken = self.taken();
        (taken.most, taken.most_per_address) = (most, most_per_address);
    }

    /// A place for a connection from `peer`.
    ///
    /// # Errors
    /// Which bound is reached.
    pub(crate) fn take(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let address = holder(peer);
        let mut taken = self.taken();
        let Taken { most, most_per_address, all, by_address } = &mut *taken;
        if *all >= *most {
            return Err(Full::All);
        }
        let own = by_address.get(&address).copied().unwrap_or_default();
        if own >= *most_per_address {
            return Err(Full::Address);
        }
        by_address.insert(address, own + 1);
        *all += 1;
        Ok(Place { places: Arc::clone(self), address })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Both counts change between two statements that cannot panic.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// Whom an address stands for: an IPv6 host has the whole of its /64 to choose from.
fn holder(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let places = Places::new(4, 3);
        let one = address("10.0.0.1");
        let held: Vec<_> = (0..3).map(|_| places.take(one).unwrap()).collect();
        assert_eq!(places.take(one).unwrap_err(), Full::Address);
        let other = places.take(address("10.0.0.2")).unwrap();
        assert_eq!(places.take(address("10.0.0.3")).unwrap_err(), Full::All);
        places.bound(3, 2);
        assert_eq!(places.take(address("10.0.0.3")).unwrap_err(), Full::All);
        drop(held);
        let again = [places.take(one).unwrap(), places.take(one).unwrap()];
        assert_eq!(places.take(one).unwrap_err(), Full::All);
        drop(other);
        assert_eq!(places.take(one).unwrap_err(), Full::Address);
        drop(again);
        assert_eq!(places.taken().all, 0);
        assert!(places.taken().by_address.is_empty());
    }

    #[test]
    fn a_host_of_ipv6_has_one_bound_for_all_its_addresses() {
        let places = Places::new(9, 1);
        let _held = places.take(address("2001:db8:0:1::1")).unwrap();
        assert_eq!(places.take(address("2001:db8:0:1::2")).unwrap_err(), Full::Address);
        assert!(places.take(address("2001:db8:0:2::1")).is_ok());
        let _mapped = places.take(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(places.take(address("10.0.0.1")).unwrap_err(), Full::Address);
    }
}
