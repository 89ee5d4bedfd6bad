//! How many files and sockets the process may have open at one time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the bound as far as the system lets the process, and returns it; nothing is no bound.
///
/// Shells and service managers start programs with 1024 for the sake of those that call `select`, and leave it to the others to ask for
/// more.
pub(crate) fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// The client connections for which there are descriptors: at most `clients`, beside so many connections to `backends` and what is the
/// process's own. Where those leave little, it is half of what is not its own: a backend is seldom at its bound. Nothing where there are
/// too few descriptors for a gateway.
pub(crate) fn places(descriptors: Option<u64>, clients: usize, backends: usize) -> Option<usize> {
    let Some(descriptors) = descriptors else { return Some(clients) };
    let free = usize::try_from(descriptors).unwrap_or(usize::MAX).checked_sub(OWN)?;
    let places = free.saturating_sub(backends).max(free / 2).min(clients);
    (places > 0).then_some(places)
}

/// What the process needs for itself: streams, the runtime's own and listening sockets, 32 connections of the admin endpoint, one to Redis,
/// and what looking names up takes meanwhile.
pub(crate) const OWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_what_the_others_leave_and_half_at_least() {
        assert_eq!(places(None, 10_000, 1 << 20), Some(10_000));
        assert_eq!(places(Some(20_000), 10_000, 128), Some(10_000));
        assert_eq!(places(Some(1024), 10_000, 128), Some(1024 - 64 - 128));
        assert_eq!(places(Some(1024), 10_000, 4096), Some(480));
        assert_eq!(places(Some(1024), 10, 4096), Some(10));
        assert_eq!(places(Some(66), 10, 64), Some(1));
        assert_eq!([64, 65, 3].map(|few| places(Some(few), 10, 64)), [None; 3]);
    }

    #[test]
    fn the_bound_is_raised_to_what_the_system_allows() {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // A little less harms no other test of the process.
        let lower = maximum.or(current).map(|bound| bound - 1);
        setrlimit(Resource::Nofile, Rlimit { current: lower, maximum }).unwrap();
        assert_eq!(raise(), maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
