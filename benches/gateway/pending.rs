//! Hits while ten thousand misses wait for a backend that never answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;

use crate::Fallible;
use crate::call::{CACHED, Call, STALLED, Speech};
use crate::cell::Cell;
use crate::ids::Ids;
use crate::load::{Load, Order};
use crate::process::{Core, Process};
use crate::report::Spread;
use crate::servers::Place;

/// The hits' p99.9, in microseconds, and the ratio of the two.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) unloaded: Spread,
    pub(crate) loaded: Spread,
    pub(crate) ratio: Spread,
}

/// Measures two gateways in turn, one of which has the misses pending.
///
/// # Errors
/// When a gateway answers wrongly, or any of the pending calls was answered or dropped.
pub(crate) fn run(place: &Place, rounds: usize, seconds: f64) -> Fallible<Pending> {
    let (_backend, behind) = place.echo(Core::Client)?;
    let (quiet, quiet_address) = place.larder(behind, "64MiB")?;
    let (busy, busy_address) = place.larder(behind, "65MiB")?;
    for address in [quiet_address, busy_address] {
        hits(address, Ids::each(KEYS)).fill()?;
    }
    let mut waiting = stall(busy_address)?;
    let quiet_hits = hits(quiet_address, Ids::zipf(KEYS));
    let busy_hits = hits(busy_address, Ids::zipf(KEYS));
    let (mut unloaded, mut loaded) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        unloaded.push(tail(&quiet_hits, &quiet, seconds)?);
        loaded.push(tail(&busy_hits, &busy, seconds)?);
    }
    for stream in &mut waiting {
        expect_silence(stream)?;
    }
    let ratio = loaded.iter().zip(&unloaded).map(|(with, without)| with / without).collect();
    Ok(Pending { unloaded: Spread::of(unloaded), loaded: Spread::of(loaded), ratio: Spread::of(ratio) })
}

fn hits(address: SocketAddr, ids: Ids) -> Load {
    Load { address, speech: Speech::Thrift(CACHED), order: Order::Kept, cell: Cell::USUAL, ids: Rc::new(ids) }
}

fn tail(load: &Load, server: &Process, seconds: f64) -> Fallible<f64> {
    Ok(load.measure(server, seconds)?.latencies.value_at_quantile(0.999) as f64 / 1000.0)
}

/// Asks for distinct keys over many connections and leaves the calls unanswered.
fn stall(address: SocketAddr) -> Fallible<Vec<TcpStream>> {
    let mut waiting = Vec::new();
    for connection in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address)?;
        let mut calls = Vec::new();
        for place in 0..EACH {
            let id = u64::from(connection * EACH + place);
            Speech::Thrift(STALLED).write(Call { seqid: place + 1, id, size: 100 }, &mut calls);
        }
        stream.write_all(&calls)?;
        stream.set_nonblocking(true)?;
        waiting.push(stream);
    }
    Ok(waiting)
}

fn expect_silence(stream: &mut TcpStream) -> Fallible<()> {
    let mut reply = [0; 256];
    match stream.read(&mut reply) {
        Err(fault) if fault.kind() == ErrorKind::WouldBlock => Ok(()),
        Ok(read) => {
            let said = String::from_utf8_lossy(reply.get(..read).unwrap_or_default()).into_owned();
            Err(format!("a stalled call was answered: {said:?}").into())
        }
        Err(fault) => Err(fault.into()),
    }
}

const KEYS: u32 = 10_000;
const CONNECTIONS: u32 = 400;
/// Below the gateway's bound of calls in flight on a connection.
const EACH: u32 = 25;
