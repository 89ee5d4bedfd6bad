//! The rules of a world: as the configuration says them, and as the judge understands them.

use std::fmt::Write;

use crate::service::{FALLBACK, Method};

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

/// The rules as a part of a configuration file.
pub(crate) fn toml(rules: &[Rule], idl: bool) -> String {
    let mut out = String::new();
    rules.iter().for_each(|rule| rule.toml(idl, &mut out));
    out
}

fn ms(time: Ms) -> String {
    format!("\"{time}ms\"")
}

fn ids(ids: &[i16]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", ids.join(", "))
}
