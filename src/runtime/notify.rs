//! What the service manager is told, where there is one that listens: as `sd_notify(3)` describes, at the socket that `NOTIFY_SOCKET` names.

use std::process;
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

/// The gateway answers calls, and this process is the one to watch: it may have taken the place of another.
pub(crate) fn ready() {
    tell(&[NotifyState::MainPid(process::id()), NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] says when that is over.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the service manager is not told of the reload"),
    }
}

/// The gateway ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Gives signs of life for ever, twice as often as the service manager asks for; or at once none, if it asks for none. They say that the
/// runtime goes on: a thread that hangs holds them up too.
pub(crate) async fn live() {
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((interval / 2).max(SIGNS_LEAST));
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager is not told how the gateway does");
    }
}

/// The shortest time between two signs of life.
const SIGNS_LEAST: Duration = Duration::from_millis(10);
