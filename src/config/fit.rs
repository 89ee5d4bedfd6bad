//! Whether what a configuration asks for fits into what the system gives.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Config;
use crate::clock::{Clock, Millis};
use crate::runtime::{descriptors, memory};

/// What the system gives the process. What it does not tell is nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    /// Files and sockets that may be open at one time.
    pub(crate) descriptors: Option<u64>,
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// Who may do what with a file, as its mode says.
    pub(crate) mode: fn(&Path) -> Option<u32>,
    /// The time.
    pub(crate) now: Millis,
}

/// What a configuration asks for and does not get.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Why there can be no gateway.
    pub(crate) problem: Option<String>,
    /// What is less than was asked for, or may be.
    pub(crate) warnings: Vec<String>,
}

impl System {
    /// What it gives this process, once it was asked for all there is.
    pub(crate) fn ask() -> Self {
        let now = Clock::system().now();
        Self { descriptors: descriptors::raise(), memory: memory::available(), mode, now }
    }
}

fn mode(path: &Path) -> Option<u32> {
    Some(fs::metadata(path).ok()?.permissions().mode())
}

impl Config {
    /// Takes no more client connections than there are descriptors for, and says what else does not fit.
    pub(crate) fn fit(&mut self, system: System) -> Fit {
        let mut fit = Fit::default();
        self.fit_descriptors(system.descriptors, &mut fit);
        self.fit_memory(system.memory, &mut fit);
        self.fit_secrets(system.mode, &mut fit);
        self.fit_certificates(system.now, &mut fit);
        fit
    }

    fn fit_descriptors(&mut self, given: Option<u64>, fit: &mut Fit) {
        let wanted = self.limits.connections;
        let backends = self.backends.values();
        let backends = backends.map(|one| one.max_connections.saturating_mul(one.endpoints.len())).sum();
        let (own, remedy) = (descriptors::OWN, "raise the hard limit (LimitNOFILE, ulimit -Hn)");
        let given_text = given.unwrap_or_default();
        let Some(places) = descriptors::places(given, wanted, backends) else {
            let least = own + 2;
            fit.problem = Some(format!(
                "the system allows {given_text} descriptors, and a gateway needs {least} at least: {remedy}"
            ));
            return;
        };
        let asked = (wanted as u64).saturating_add(backends as u64).saturating_add(own as u64);
        if given.is_none_or(|given| asked <= given) {
            return;
        }
        fit.warnings.push(format!(
            "limits.connections, {wanted}, the max_connections of all endpoints, {backends}, and {own} for the gateway itself are more than \
            the {given_text} descriptors that the system allows: {places} client connections are taken; {remedy}"
        ));
        let limits = &mut self.limits;
        limits.connections = places;
        limits.connections_per_address = limits.connections_per_address.min(places - places / 10);
    }

    fn fit_memory(&self, given: Option<u64>, fit: &mut Fit) {
        let (local, buffered) = (self.cache.capacity, self.limits.buffered as u64);
        let needed = local.saturating_add(local / 5).saturating_add(buffered).saturating_add(PROGRAM);
        let Some(given) = given.filter(|given| *given < needed) else { return };
        let mib = |bytes: u64| bytes >> 20;
        fit.warnings.push(format!(
            "cache.local.capacity, {} MiB and a fifth, and limits.buffered, {} MiB, may take more than the {} MiB of memory that the system gives: \
            lower one of them",
            mib(local),
            mib(buffered),
            mib(given)
        ));
    }

    /// A secret that every user of the host may read is none.
    fn fit_secrets(&self, mode: fn(&Path) -> Option<u32>, fit: &mut Fit) {
        let open = |path: &Path| mode(path).is_some_and(|mode| mode & READ_BY_OTHERS != 0);
        let exposed = self.secrets.iter().filter(|(_, path)| open(path));
        fit.warnings.extend(exposed.map(|(option, path)| {
            let path = path.display();
            format!("{option}: every user of this host may read {path}: take that from them (chmod o-r)")
        }));
    }

    /// What expires soon, or has: whoever renews it may have been forgotten.
    fn fit_certificates(&self, now: Millis, fit: &mut Fit) {
        for (section, end) in self.encrypted() {
            let expiries = end.expiries();
            fit.warnings.extend(expiries.iter().filter_map(|expiry| {
                let days = expiry.left(now) / DAY;
                let path = expiry.path.display();
                match days {
                    ..0.0 => Some(format!("{section}.tls: {path} has expired, {:.1} days ago", -days)),
                    ..SOON => Some(format!("{section}.tls: {path} expires in {days:.1} days")),
                    _ => None,
                }
            }));
        }
    }
}

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Days before the end of a certificate from which on it is warned of: those that are renewed by machines are renewed before.
const SOON: f64 = 14.0;
/// The bit of a file's mode by which those may read it who neither own it nor are of its group.
const READ_BY_OTHERS: u32 = 0o004;
/// Memory of a gateway that holds nothing.
const PROGRAM: u64 = 15 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: System = System { descriptors: None, memory: None, mode: |_| None, now: Millis(0) };

    /// The embedded configuration: 10,000 client connections, one backend of 64 connections to each of its endpoints.
    fn config() -> Config {
        Config::embedded().config.unwrap()
    }

    #[test]
    fn what_has_room_is_left_alone() {
        let (mut config, before) = (config(), config());
        assert_eq!(config.fit(ALL), Fit::default());
        assert_eq!(
            config.fit(System { descriptors: Some(65_536), memory: Some(1 << 40), ..ALL }),
            Fit::default()
        );
        assert_eq!(config.limits.connections, before.limits.connections);
    }

    #[test]
    fn clients_are_taken_as_far_as_there_are_descriptors() {
        let mut config = config();
        let fit = config.fit(System { descriptors: Some(1024), ..ALL });
        let places = config.limits.connections;
        assert!((480..960).contains(&places), "{places}");
        assert_eq!(config.limits.connections_per_address, places - places / 10);
        let [warning] = &fit.warnings[..] else { panic!("{fit:?}") };
        for part in ["limits.connections, 10000", "max_connections", "1024 descriptors", &places.to_string()]
        {
            assert!(warning.contains(part), "{part}: {warning}");
        }
        assert_eq!(fit.problem, None);
    }

    #[test]
    fn too_few_descriptors_for_a_gateway_are_a_problem() {
        let problem = config().fit(System { descriptors: Some(65), ..ALL }).problem.unwrap();
        assert!(problem.contains("65 descriptors") && problem.contains("66"), "{problem}");
    }

    #[test]
    fn memory_that_may_not_suffice_is_named() {
        let mut config = config();
        let needed =
            config.cache.capacity + config.cache.capacity / 5 + config.limits.buffered as u64 + PROGRAM;
        assert_eq!(config.fit(System { memory: Some(needed), ..ALL }).warnings, [""; 0]);
        let fit = config.fit(System { memory: Some(needed - 1), ..ALL });
        let [warning] = &fit.warnings[..] else { panic!("{fit:?}") };
        assert!(warning.contains("cache.local.capacity") && warning.contains("limits.buffered"), "{warning}");
    }

    #[test]
    fn a_secret_that_every_user_may_read_is_warned_of() {
        let mut config = config();
        let secrets = [("cache.shared.secret_file", "open"), ("admin.token_file", "shut")];
        config.secrets = secrets.map(|(option, path)| (option.to_owned(), path.into())).into();
        let mode = |path: &Path| Some(if path.ends_with("open") { 0o100_604 } else { 0o100_640 });
        let fit = config.fit(System { mode, ..ALL });
        let [warning] = &fit.warnings[..] else { panic!("{fit:?}") };
        assert!(warning.starts_with("cache.shared.secret_file: every user of this host may read open"));
    }
}
