//! What a gateway tells of itself at one moment, and which keys it is asked for in between.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::admin::status::Status;
use crate::admin::traffic::Traffic;
use crate::cli::admin::{Admin, AskError, TIMEOUT};
use crate::cli::events::{Event, Events};
use crate::setting::Period;
use crate::tap::line::Line;
use crate::tap::wanted::Wanted;

/// A gateway at one moment.
pub(super) struct Sample {
    pub(super) traffic: Traffic,
    pub(super) status: Status,
}

/// The keys of calls that were seen.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Calls by method and the hash of their key.
    pub(super) calls: HashMap<(String, String), u64>,
    /// All calls that were seen, also those without a key.
    pub(super) seen: u64,
    /// Why none were, where others watch already.
    pub(super) unseen: Option<String>,
}

impl Sample {
    /// What it tells now.
    ///
    /// # Errors
    /// If it does not.
    pub(super) fn take(admin: &Admin) -> Result<Self, AskError> {
        Ok(Self { traffic: page(admin, "/v1/traffic")?, status: page(admin, "/v1/status")? })
    }
}

impl Keys {
    /// Those of a while.
    ///
    /// # Errors
    /// If no gateway answers. That it has no room for another who watches is none.
    pub(super) fn watch(admin: &Admin, lasts: Duration) -> Result<Self, AskError> {
        let (mut keys, mut events) = (Self::default(), Events::default());
        let lasts = Period::from_millis(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let wanted = Wanted { per_second: Some(PER_SECOND), lasts: Some(lasts), ..Wanted::default() };
        // A number and a time have no spelling that a query could lack.
        let query = serde_urlencoded::to_string(wanted).unwrap_or_default();
        let watched = admin.follow(&format!("/v1/tap?{query}"), |part| {
            for event in events.take(part) {
                match event {
                    Event::Call(data) => keys.note(&data),
                    Event::End(_) => return ControlFlow::Break(()),
                }
            }
            ControlFlow::Continue(())
        });
        match watched {
            Ok(_) => {}
            Err(AskError::Refused { why, .. }) => {
                keys.unseen = Some(why);
                thread::sleep(lasts.duration());
            }
            Err(error) => return Err(error),
        }
        Ok(keys)
    }

    fn note(&mut self, data: &str) {
        let Ok(line) = serde_json::from_str::<Line>(data) else { return };
        self.seen += 1;
        if let Some(key) = line.key {
            *self.calls.entry((line.method, key)).or_default() += 1;
        }
    }
}

fn page<T: DeserializeOwned>(admin: &Admin, path: &str) -> Result<T, AskError> {
    let page = admin.get(path, PAGE_MAX, TIMEOUT)?;
    serde_json::from_slice(&page).map_err(|error| admin.stranger(error.to_string()))
}

/// The most calls that a gateway shows in a second.
const PER_SECOND: u32 = 1_000;
/// Bytes of a page, beyond which it is none: there may be thousands of methods.
const PAGE_MAX: usize = 32 << 20;
