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

#[cfg(test)]
mod tests {
    use super::*;

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
