//! What is made of papers, and made anew when their files hold others: connections that there are keep what they began with.

use std::fmt::{self, Debug};
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::papers::{Expiry, Flaw, Papers};

/// One end of TLS, of whatever kind, as whoever watches its files sees it.
pub(crate) trait Renewable: Debug + Send + Sync {
    /// What it is made of now.
    fn papers(&self) -> Papers;

    /// Makes it of other papers, for connections that begin from here on.
    ///
    /// # Errors
    /// What is wrong with them; then it is what it was.
    fn renew(&self, papers: Papers) -> Result<(), Flaw>;

    /// Notes why its files cannot be used as they are now, or that they can.
    fn refuse(&self, why: Option<String>);

    /// Why its files cannot be used as they are now, and others are in use that they held before.
    fn refused(&self) -> Option<Arc<String>>;

    /// Until when what it is made of is good.
    fn expiries(&self) -> Vec<Expiry>;
}

/// One end of TLS: for clients or for servers.
pub(super) struct Renewing<C> {
    make: fn(&Papers) -> Result<C, Flaw>,
    current: ArcSwap<Made<C>>,
    refused: ArcSwapOption<String>,
}

struct Made<C> {
    papers: Papers,
    config: Arc<C>,
    expiries: Vec<Expiry>,
}

impl<C> Made<C> {
    fn of(papers: Papers, make: fn(&Papers) -> Result<C, Flaw>) -> Result<Self, Flaw> {
        let (config, expiries) = (Arc::new(make(&papers)?), papers.expiries());
        Ok(Self { papers, config, expiries })
    }
}

impl<C> Renewing<C> {
    /// Makes it of `papers`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(papers: Papers, make: fn(&Papers) -> Result<C, Flaw>) -> Result<Self, Flaw> {
        let current = ArcSwap::from_pointee(Made::of(papers, make)?);
        Ok(Self { make, current, refused: ArcSwapOption::empty() })
    }

    /// What a connection that begins now speaks by.
    pub(super) fn config(&self) -> Arc<C> {
        Arc::clone(&self.current.load().config)
    }
}

impl<C: Send + Sync> Renewable for Renewing<C> {
    fn papers(&self) -> Papers {
        self.current.load().papers.clone()
    }

    fn renew(&self, papers: Papers) -> Result<(), Flaw> {
        self.current.store(Arc::new(Made::of(papers, self.make)?));
        Ok(())
    }

    fn refuse(&self, why: Option<String>) {
        self.refused.store(why.map(Arc::new));
    }

    fn refused(&self) -> Option<Arc<String>> {
        self.refused.load_full()
    }

    fn expiries(&self) -> Vec<Expiry> {
        self.current.load().expiries.clone()
    }
}

impl<C> Debug for Renewing<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewing").field("papers", &self.current.load().papers).finish_non_exhaustive()
    }
}
