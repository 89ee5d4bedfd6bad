//! What `larder switch` can do, in the words of a command line.

use crate::dial::Address;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use crate::backend::Ordered;
use crate::rule::options;
use crate::setting::Period;
use crate::switch::{Declared, Scope, Switch};

/// What is done.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Action {
    /// Tell the switches in force.
    List,
    /// Take a switch back: all is as if it had not been set.
    Undo {
        /// Its number.
        #[arg(value_name = "NUMBER")]
        id: u64,
        /// Why, for whoever reads the gateway's log.
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
    #[command(flatten)]
    Set(Set),
}

/// Which switch is set. One of the same kind and subject is replaced.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Set {
    /// Let old replies answer for longer when backends fail, as long as marks allow it.
    HoldStale {
        /// For how long after `ttl` at least.
        window: Period,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        terms: Terms,
    },
    /// Spare backends: what is kept answers, as in an outage, and they are not asked for it.
    StaleOnly {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        terms: Terms,
    },
    /// Pass the calls of a method, and keep nothing of them.
    Bypass {
        /// The method.
        #[arg(value_name = "SERVICE.METHOD")]
        method: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Give a rule another mode.
    Mode {
        /// The rule's pattern.
        #[arg(value_name = "RULE")]
        rule: String,
        mode: Mode,
        #[command(flatten)]
        terms: Terms,
    },
    /// Have a rule be for so many percent of its keys.
    Ramp {
        /// The rule's pattern.
        #[arg(value_name = "RULE")]
        rule: String,
        /// From 0 to 100.
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
        #[command(flatten)]
        terms: Terms,
    },
    /// Send an endpoint no calls but those that have nothing else to answer with; those under way end.
    Drain {
        #[command(flatten)]
        at: At,
    },
    /// Send an endpoint no calls at all.
    Eject {
        #[command(flatten)]
        at: At,
    },
    /// Send an endpoint calls, whatever is seen of it.
    ForceIn {
        #[command(flatten)]
        at: At,
    },
    /// Give an endpoint another weight.
    Weigh {
        #[command(flatten)]
        at: At,
        weight: u32,
    },
    /// Send a backend no calls: what is kept answers, as in an outage.
    Down {
        backend: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Send all endpoints of a backend calls, whatever is seen of them.
    Up {
        backend: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Send a backend also those calls that endpoints died of.
    TryAnyway {
        backend: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Log other lines: a level, or directives such as info,larder::backend=debug.
    Log {
        level: String,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Whose calls a switch is for.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Of {
    /// Those of one method.
    #[arg(long, value_name = "SERVICE.METHOD")]
    method: Option<String>,
    /// Those that go to a backend.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// All.
    #[arg(long)]
    all: bool,
}

/// Which endpoint a switch is for.
#[derive(Clone, Debug, Args)]
pub(super) struct At {
    /// The backend and the endpoint's address, such as users/10.0.0.1:9191.
    #[arg(value_name = "BACKEND/ADDRESS")]
    endpoint: Endpoint,
    #[command(flatten)]
    terms: Terms,
}

/// A backend and an address of it.
#[derive(Clone, Debug)]
struct Endpoint {
    backend: String,
    address: Address,
}

/// For how long, and why.
#[derive(Clone, Debug, Args)]
pub(super) struct Terms {
    /// For how long; only mode, ramp and weigh need none.
    #[arg(long = "for", value_name = "TIME")]
    pub(super) lasts: Option<Period>,
    /// Why, for whoever reads the gateway's log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) why: String,
}

/// A rule's mode.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Mode {
    On,
    Observe,
    Off,
}

impl Set {
    /// The switch.
    pub(super) fn switch(&self) -> Switch {
        match self.clone() {
            Self::HoldStale { window, of, .. } => Switch::HoldStale { of: of.scope(), window },
            Self::StaleOnly { of, .. } => Switch::StaleOnly { of: of.scope() },
            Self::Bypass { method, .. } => Switch::Bypass { method },
            Self::Mode { rule, mode, .. } => Switch::Mode { rule, mode: mode.into() },
            Self::Ramp { rule, percent, .. } => Switch::Ramp { rule, percent },
            Self::Drain { at } => at.stands(Ordered::Drained),
            Self::Eject { at } => at.stands(Ordered::Out),
            Self::ForceIn { at } => at.stands(Ordered::In),
            Self::Weigh { at: At { endpoint: Endpoint { backend, address: endpoint }, .. }, weight } => {
                Switch::Weight { backend, endpoint, weight }
            }
            Self::Down { backend, .. } => Switch::Backend { backend, state: Declared::Down },
            Self::Up { backend, .. } => Switch::Backend { backend, state: Declared::Up },
            Self::TryAnyway { backend, .. } => Switch::TryAnyway { backend },
            Self::Log { level, .. } => Switch::Log { level },
        }
    }

    /// For how long, and why.
    pub(super) fn terms(&self) -> &Terms {
        match self {
            Self::HoldStale { terms, .. }
            | Self::StaleOnly { terms, .. }
            | Self::Bypass { terms, .. }
            | Self::Mode { terms, .. }
            | Self::Ramp { terms, .. }
            | Self::Down { terms, .. }
            | Self::Up { terms, .. }
            | Self::TryAnyway { terms, .. }
            | Self::Log { terms, .. } => terms,
            Self::Drain { at } | Self::Eject { at } | Self::ForceIn { at } | Self::Weigh { at, .. } => {
                &at.terms
            }
        }
    }
}

impl Of {
    fn scope(self) -> Scope {
        match self {
            Self { method: Some(method), .. } => Scope::Method(method),
            Self { backend: Some(backend), .. } => Scope::Backend(backend),
            Self { method: None, backend: None, all: _ } => Scope::All,
        }
    }
}

impl At {
    fn stands(self, state: Ordered) -> Switch {
        let Endpoint { backend, address: endpoint } = self.endpoint;
        Switch::Endpoint { backend, endpoint, state }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a backend and an address, such as users/10.0.0.1:9191".to_owned();
        let (backend, address) = text.split_once('/').ok_or_else(wrong)?;
        let address = address.parse().map_err(|_| wrong())?;
        Ok(Self { backend: backend.to_owned(), address })
    }
}

impl From<Mode> for options::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::On => Self::On,
            Mode::Observe => Self::Observe,
            Mode::Off => Self::Off,
        }
    }
}
