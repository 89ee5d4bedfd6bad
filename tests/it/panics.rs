//! The gateway's own failures: they are told for what they are, and harm nobody else.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use larder::config::Config;
use larder::dial::{Dial, Stream, Tcp};
use larder::server::{self, Surroundings};

use crate::harness::*;

/// A way out that panics while it is told to.
#[derive(Debug, Default)]
struct Broken(AtomicBool);

impl Dial for Broken {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, std::io::Result<Box<dyn Stream>>> {
        assert!(!self.0.load(Ordering::Relaxed), "a defect that a test planted");
        Tcp.dial(address)
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, std::io::Result<Vec<SocketAddr>>> {
        Tcp.resolve(host, port)
    }
}

#[test]
fn a_call_that_makes_the_gateway_panic_is_told_so_and_an_old_entry_answers_where_there_is_one() {
    let backend = backend();
    let rule = "ttl = '1ms'\nstale_if_error = '60s'\ntimeout = '20s'";
    let text =
        gateway().endpoint(backend.address()).get_user(rule).text().replace("socket = 'admin.sock'", "");
    let read = |path: &Path| match path.extension().is_some_and(|is| is == "toml") {
        true => Ok(text.clone()),
        false => std::fs::read_to_string(path),
    };
    let config = Config::load(Path::new("larder.toml"), &read, &|_| None).config.unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dial = Arc::new(Broken::default());
    let surroundings = Surroundings { dial: dial.clone(), ..Surroundings::system() };
    let running = runtime.block_on(server::start(config, surroundings)).unwrap();
    let mut client = Client::connect(running.listeners["users"], Wire::framed());
    let known = client.get_user(7).email();
    dial.0.store(true, Ordering::Relaxed);
    backend.reset_connections();
    let mut told = String::new();
    eventually(|| {
        let reply = client.get_user(8);
        told = if reply.is_exception() { reply.exception_text() } else { String::new() };
        told.contains("the gateway failed at this call")
    });
    assert_eq!(client.get_user(7).email(), known);
    // A call that no rule caches is told so too, and its connection stays.
    let passed = client.call(list_users(&[1], &[])).exception_text();
    assert!(passed.contains("the gateway failed at this call"), "{passed}");
    dial.0.store(false, Ordering::Relaxed);
    eventually(|| !client.get_user(8).is_exception());
    let faults = metrics_at(running.admin).sum("larder_faults_total", &[("fault", "internal")]);
    assert!(faults >= 2.0, "{faults}");
    runtime.block_on(running.stop(ms(1000)));
}
