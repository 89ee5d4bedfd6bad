//! Whether what a configuration names is there and is what it says: endpoints by a call of a method that nobody has, and Redis.

use std::io;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use tokio::runtime::Builder;
use tokio::time::Instant;

use crate::backend::Settings;
use crate::backend::options::Endpoint;
use crate::cache::shared::redis;
use crate::cli::exchange::{Exchange, ExchangeError};
use crate::config::Config;
use crate::dial::{Dial, Tcp};
use crate::wire::message::{Form, Header, Kind};
use crate::wire::{Protocol, Speech, Transport};

/// What was looked for, and what was found: how it answers, or what is wrong.
pub(super) struct Reached {
    pub(super) what: String,
    pub(super) found: Result<String, String>,
}

/// Tries all that the configuration names, each within the bounds that it gives.
///
/// # Errors
/// There is no runtime to do so.
pub(super) fn reach(config: &Config) -> io::Result<Vec<Reached>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let mut reached = Vec::new();
        for settings in config.backends.values() {
            reached.extend(backend(settings).await);
        }
        if let Some(shared) = &config.cache.shared {
            let probed = redis::probe(shared.redis.clone(), Arc::new(Tcp)).await;
            reached.extend(probed.into_iter().map(|one| {
                let of = |said: String| format!("{} {said}", one.server);
                Reached { what: "cache.shared".to_owned(), found: one.found.map(of).map_err(of) }
            }));
        }
        reached
    }))
}

async fn backend(settings: &Settings) -> Vec<Reached> {
    let name = format!("backends.{}", settings.name);
    let endpoints = match settings.listed(|path| std::fs::read(path)) {
        Ok(endpoints) => endpoints,
        Err(why) => return vec![Reached { what: name, found: Err(why) }],
    };
    let tried = endpoints.into_iter().map(|endpoint| {
        let what = name.clone();
        async move { Reached { what, found: Probe { settings, endpoint: &endpoint }.run(&Tcp).await } }
    });
    stream::iter(tried).buffered(AT_ONCE).collect().await
}

/// One endpoint that is tried.
#[derive(Clone, Copy)]
struct Probe<'a> {
    settings: &'a Settings,
    endpoint: &'a Endpoint,
}

impl Probe<'_> {
    /// How it answers, or what is wrong.
    async fn run(self, dial: &dyn Dial) -> Result<String, String> {
        let (endpoint, told, began) = (self.endpoint, self.settings.speech(), Instant::now());
        let Some(method) = self.settings.harmless_method() else {
            let exchange = self.exchange(told);
            let connected = exchange.within(exchange.connect(dial)).await;
            let connected = connected.map_err(|error| error.to_string());
            return connected
                .map(|_| format!("{endpoint} takes connections; its check says to call nothing"));
        };
        let error = match self.call(dial, told, method).await {
            Ok(()) => {
                let took = began.elapsed().as_millis();
                return Ok(format!("{endpoint} answers {}, in {took} ms", self.told()));
            }
            Err(error) => error,
        };
        match self.speaks_otherwise(dial, method, &error).await {
            Some(other) => Err(format!("{endpoint} answers {}, and not {}", spelled(other), self.told())),
            None => Err(error.to_string()),
        }
    }

    /// What it is told to speak.
    fn told(self) -> String {
        let speech = self.settings.speech();
        match self.settings.posts {
            Some(_) => format!("http {}", speech.protocol.as_str()),
            None => spelled(speech),
        }
    }

    /// What it speaks in place of what was told, where that met this error.
    async fn speaks_otherwise(self, dial: &dyn Dial, method: &str, met: &ExchangeError) -> Option<Speech> {
        match met {
            ExchangeError::Unreachable { .. } | ExchangeError::Runtime(_) => return None,
            ExchangeError::Late { .. }
            | ExchangeError::Closed { .. }
            | ExchangeError::Broken { .. }
            | ExchangeError::Garbage { .. } => {}
        }
        let told = self.settings.speech();
        for transport in [Transport::Framed, Transport::Unframed, Transport::Header] {
            for protocol in [Protocol::Binary, Protocol::Compact] {
                let other = Speech { transport, protocol };
                if other != told && self.call(dial, other, method).await.is_ok() {
                    return Some(other);
                }
            }
        }
        None
    }

    /// A call without arguments. Any proper reply is one, an exception too.
    async fn call(self, dial: &dyn Dial, speech: Speech, method: &str) -> Result<(), ExchangeError> {
        let header = Header { kind: Kind::Call, name: method.as_bytes(), seqid: 1, form: Form::Strict };
        let exchange = self.exchange(speech);
        // A struct without fields is the same in both protocols.
        exchange.within(exchange.ask(dial, &header, &[0])).await.map(drop)
    }

    fn exchange(&self, speech: Speech) -> Exchange<'_> {
        let timeout = self.settings.connect_timeout + self.settings.check_timeout;
        // What it speaks in place of HTTP is no HTTP.
        let posts = self.settings.posts.clone().filter(|_| speech == self.settings.speech());
        Exchange { endpoint: self.endpoint, speech, posts, tls: self.settings.tls.clone(), timeout }
    }
}

fn spelled(Speech { transport, protocol }: Speech) -> String {
    format!("{} {}", transport.as_str(), protocol.as_str())
}

/// Endpoints of a backend that are tried at one time.
const AT_ONCE: usize = 32;
