//! The rules of a world: as the configuration says them, and as the judge understands them.

use std::fmt::Write;

use crate::service::{Asked, FALLBACK, Method};
use crate::tags::{Name, Tag};

/// Milliseconds.
pub(crate) type Ms = u64;

/// What a world's configuration says of one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) method: Method,
    pub(crate) ttl: Option<Ms>,
    /// By how many hundredths the ttl of an entry may be shortened.
    pub(crate) jitter: u64,
    pub(crate) revalidate: Ms,
    pub(crate) error: Ms,
    pub(crate) soft: Option<Ms>,
    pub(crate) mode: Mode,
    pub(crate) timeout: Option<Ms>,
    pub(crate) idempotent: bool,
    pub(crate) oneway: bool,
    pub(crate) fallback: bool,
    pub(crate) kept_exceptions: Vec<i16>,
    pub(crate) exception_ttl: Ms,
    pub(crate) exception_error: Ms,
    pub(crate) failure_exceptions: Vec<i16>,
    pub(crate) revision: u32,
    pub(crate) backup: Option<Backup>,
    pub(crate) tiers: Tiers,
    pub(crate) reply_max: usize,
    /// The names of what is kept.
    pub(crate) tags: Vec<Tag>,
    pub(crate) loss: Option<OnLoss>,
    /// The names of what a call changes.
    pub(crate) invalidates: Vec<Tag>,
    pub(crate) settle: Ms,
    /// Whether such a call is answered when all gateways know of it, if that can be had.
    pub(crate) holds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    On,
    Observe,
    Off,
}

/// When the other backend is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backup {
    BeforeStale,
    AfterStale,
}

/// What an entry may do while its gateway cannot hear what others have marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnLoss {
    /// What its age allows.
    Serve,
    /// What it may do in an outage.
    Soft,
    /// Nothing.
    Hard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tiers {
    Local,
    Shared,
    Both,
}

impl Rule {
    /// A rule that says nothing yet.
    pub(crate) fn of(method: Method) -> Self {
        Self {
            method,
            ttl: None,
            jitter: 0,
            revalidate: 0,
            error: 0,
            soft: None,
            mode: Mode::On,
            timeout: None,
            idempotent: false,
            oneway: false,
            fallback: false,
            kept_exceptions: Vec::new(),
            exception_ttl: 5_000,
            exception_error: 0,
            failure_exceptions: Vec::new(),
            revision: 0,
            backup: None,
            tiers: Tiers::Local,
            reply_max: 1 << 20,
            tags: Vec::new(),
            loss: None,
            invalidates: Vec::new(),
            settle: 1_000,
            holds: false,
        }
    }

    /// Whether replies are kept and shared.
    pub(crate) fn caches(&self) -> bool {
        self.ttl.is_some() && self.mode == Mode::On && !self.oneway
    }

    /// Whether a call that may have run may run again.
    pub(crate) fn repeats(&self) -> bool {
        self.mode == Mode::On && (self.idempotent || self.ttl.is_some())
    }

    /// Whether calls change what is kept.
    pub(crate) fn changes(&self) -> bool {
        !self.invalidates.is_empty() && self.mode == Mode::On
    }

    /// When the other backend is asked, while the rule is in force.
    pub(crate) fn backed_up(&self) -> Option<Backup> {
        self.backup.filter(|_| self.mode == Mode::On)
    }

    /// How long a call may take, where the backend has no timeout of its own.
    pub(crate) fn timeout(&self) -> Option<Ms> {
        (self.mode == Mode::On).then(|| self.timeout.unwrap_or(30_000))
    }

    /// How old a result may be that answers while all is well.
    pub(crate) fn well(&self) -> Ms {
        self.ttl.unwrap_or(0) + self.revalidate
    }

    /// Up to which age a result answers at once for certain.
    pub(crate) fn well_least(&self) -> Ms {
        self.well() - self.shortened()
    }

    /// How old a result may be that answers in place of a fault.
    pub(crate) fn outage(&self) -> Ms {
        self.ttl.unwrap_or(0) + self.error.max(self.revalidate)
    }

    /// Up to which age a result answers in place of a fault for certain.
    pub(crate) fn outage_least(&self) -> Ms {
        self.outage() - self.shortened()
    }

    /// The same of one that is marked softly.
    pub(crate) fn marked_least(&self) -> Ms {
        self.ttl.unwrap_or(0) + self.error - self.shortened()
    }

    /// What an entry may do while its gateway cannot hear what others have marked.
    pub(crate) fn on_loss(&self) -> OnLoss {
        self.loss.unwrap_or(if self.tags.is_empty() { OnLoss::Serve } else { OnLoss::Soft })
    }

    /// Whether what is kept for a call has this name.
    pub(crate) fn names(&self, asked: &Asked, name: Name) -> bool {
        self.tags.iter().any(|tag| tag.of(asked) == name)
    }

    /// By how much jitter may shorten a ttl.
    fn shortened(&self) -> Ms {
        self.ttl.unwrap_or(0) * self.jitter / 100
    }

    /// How old a kept exception may be that answers in place of a fault.
    pub(crate) fn exception_outage(&self) -> Ms {
        self.exception_ttl + self.exception_error
    }

    fn toml(&self, idl: bool, out: &mut String) {
        // Without an IDL nobody knows which methods a wildcard would cache.
        let pattern = match self.method {
            Method::Find if idl => "fi*",
            method => method.name(),
        };
        let _ = writeln!(out, "[rules.\"Sim.{pattern}\"]");
        let mut put = |option: &str, value: String| {
            let _ = writeln!(out, "{option} = {value}");
        };
        self.put_session(&mut put);
        if let Some(ttl) = self.ttl {
            put("ttl", ms(ttl));
            put("ttl_jitter", format!("{:?}", self.jitter as f64 / 100.0));
            put("stale_while_revalidate", ms(self.revalidate));
            put("stale_if_error", ms(self.error));
            if let Some(soft) = self.soft {
                put("soft_timeout", ms(soft));
            }
            put("ignore", "[\"2\"]".to_owned());
            put("revision", self.revision.to_string());
            put("max_reply", self.reply_max.to_string());
            put(
                "tiers",
                match self.tiers {
                    Tiers::Local => "[\"local\"]".to_owned(),
                    Tiers::Shared => "[\"shared\"]".to_owned(),
                    Tiers::Both => "[\"local\", \"shared\"]".to_owned(),
                },
            );
            if !self.kept_exceptions.is_empty() {
                put("cache_exceptions", ids(&self.kept_exceptions));
                put("exception_ttl", ms(self.exception_ttl));
                put("exception_stale_if_error", ms(self.exception_error));
            }
        } else if self.idempotent {
            put("idempotent", "true".to_owned());
        }
        if !self.failure_exceptions.is_empty() {
            put("failure_exceptions", ids(&self.failure_exceptions));
        }
        if let Some(backup) = self.backup {
            put("backup", "\"spare\"".to_owned());
            match backup {
                Backup::BeforeStale => put("backup_when", "\"before_stale\"".to_owned()),
                Backup::AfterStale => {}
            }
        }
        if let Some(timeout) = self.timeout {
            put("timeout", ms(timeout));
        }
        if self.fallback {
            put("fallback", format!("'{FALLBACK}'"));
        }
        if self.oneway {
            put("oneway", "true".to_owned());
        }
        self.put_tags(&mut put);
        put(
            "mode",
            match self.mode {
                Mode::On => "\"on\"".to_owned(),
                Mode::Observe => "\"observe\"".to_owned(),
                Mode::Off => "\"off\"".to_owned(),
            },
        );
    }
}

impl Rule {
    fn put_session(&self, put: &mut impl FnMut(&str, String)) {
        if self.method == Method::Ugi {
            put("session", "\"identity\"".to_owned());
        }
    }

    fn put_tags(&self, put: &mut impl FnMut(&str, String)) {
        if !self.tags.is_empty() {
            put("tags", templates(&self.tags));
        }
        if let Some(loss) = self.loss {
            let loss = match loss {
                OnLoss::Serve => "serve",
                OnLoss::Soft => "soft",
                OnLoss::Hard => "hard",
            };
            put("on_coherence_loss", format!("\"{loss}\""));
        }
        if !self.invalidates.is_empty() {
            put("invalidates", templates(&self.invalidates));
            put("settle", ms(self.settle));
            if self.holds {
                put("hold_until", "\"fleet\"".to_owned());
            }
        }
    }
}

/// The rules as a part of a configuration file.
pub(crate) fn toml(rules: &[Rule], idl: bool) -> String {
    let mut out = String::new();
    rules.iter().for_each(|rule| rule.toml(idl, &mut out));
    out
}

fn ms(time: Ms) -> String {
    format!("\"{time}ms\"")
}

fn templates(tags: &[Tag]) -> String {
    let texts: Vec<String> = tags.iter().map(|tag| format!("\"{}\"", tag.template())).collect();
    format!("[{}]", texts.join(", "))
}

fn ids(ids: &[i16]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", ids.join(", "))
}
