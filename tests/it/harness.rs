//! The words that the tests are written in.

use std::thread;
use std::time::{Duration, Instant};

mod backend;
mod browser;
mod client;
#[path = "../redis/cluster.rs"]
#[allow(dead_code, reason = "the unit tests need the rest")]
mod cluster;
mod front;
mod gateway;
mod http;
mod link;
mod metrics;
mod operator;
mod papers;
mod process;
mod python;
mod redis;
#[path = "../redis/sentinel.rs"]
#[allow(dead_code, reason = "the unit tests need the rest")]
mod sentinel;
#[path = "../redis/server.rs"]
#[allow(dead_code, reason = "the unit tests need the rest")]
mod server;
#[path = "../thrift.rs"]
mod thrift;
mod users;

pub(crate) use backend::{Act, Backend, backend, backend_speaking, reserve};
pub(crate) use browser::Browser;
pub(crate) use client::Client;
pub(crate) use cluster::Servers;
pub(crate) use front::{Front, balancer};
pub(crate) use gateway::{Builder, Gateway, check, check_by, gateway, idl, larder, larder_within};
pub(crate) use link::{Line, Link, link};
pub(crate) use operator::{metrics_at, purge_at, readiness, readiness_through};
pub(crate) use papers::Papers;
pub(crate) use python::{
    Library, PythonBackend, PythonClient, RestlessClient, asyncio_python_backend, encrypted_python_backend,
    late_replies, local_python_backend, multiplexed_python_backend, posted_python_backend, python_backend,
    python_backend_of, python_metastore, single_python_backend,
};
pub(crate) use redis::{Redis, redis};
pub(crate) use sentinel::{MASTER, Watch};
pub(crate) use server::Server;
pub(crate) use thrift::{
    Fields, Kind, Message, Protocol, Transport, Value, Wire, frame, string, unwrapped, wrap,
};
pub(crate) use users::{
    get_user, get_user_traced, list_users, not_found, rename_user, touch, unavailable, user,
};

/// `TApplicationException` kinds.
pub(crate) const UNKNOWN_METHOD: i32 = 1;
pub(crate) const MISSING_RESULT: i32 = 5;
pub(crate) const INTERNAL_ERROR: i32 = 6;

/// Waits until the condition holds; a test that waits longer than any machine needs fails there.
#[track_caller]
pub(crate) fn eventually(condition: impl FnMut() -> bool) {
    assert!(holds_within(PATIENCE, condition), "the condition never came to hold");
}

/// Waits until `look` finds something.
#[track_caller]
pub(crate) fn found<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let mut seen = None;
    eventually(|| {
        seen = look();
        seen.is_some()
    });
    seen.unwrap()
}

/// Lets a time pass that the tested behaviour itself names, such as a ttl; never "long enough to be sure".
pub(crate) fn pass(time: Duration) {
    thread::sleep(time);
}

/// So many milliseconds.
pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(STEP);
    }
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(5);
