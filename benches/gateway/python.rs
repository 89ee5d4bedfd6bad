//! What a thriftpy2 user sees: calls per second through Larder, beside redis-py cache-aside.

use std::process::{Command, Output};

use crate::Fallible;
use crate::process::Core;
use crate::report::Spread;
use crate::servers::Place;

/// Calls per second of one way to call, round by round.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    pub(crate) title: String,
    pub(crate) rounds: Vec<f64>,
}

/// Measured, or what is not installed.
#[derive(Debug)]
pub(crate) enum Outcome {
    Measured(Vec<Rate>),
    Missing(String),
}

/// Runs `client.py`, which interleaves the ways itself.
///
/// # Errors
/// When a server does not start or the client gets a wrong reply.
pub(crate) fn run(place: &Place, rounds: usize, seconds: f64) -> Fallible<Outcome> {
    let python = place.peers.join("bin/python");
    if !python.exists() {
        return Ok(Outcome::Missing("thriftpy2 client: not installed (benches/peers.sh)".into()));
    }
    let (_backend, behind) = place.echo(Core::Client)?;
    let (_larder, gateway) = place.larder(behind, "64MiB")?;
    let (_redis, redis) = place.redis(Core::Server)?;
    // On the servers' core like the others: a call that crosses no core costs a fraction of one that does.
    let (_echo, bare) = place.echo(Core::Server)?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/gateway/client.py");
    let ports = [gateway, redis, bare].map(|address| address.port().to_string());
    let Output { status, stdout, stderr } = Command::new(python)
        .arg(script)
        .args(ports)
        .args([rounds.to_string(), seconds.to_string()])
        .output()?;
    if !status.success() {
        return Err(format!("client.py: {}", String::from_utf8_lossy(&stderr)).into());
    }
    let rates = String::from_utf8(stdout)?.lines().map(parse).collect::<Fallible<_>>()?;
    Ok(Outcome::Measured(rates))
}

/// Of redis-py to Larder: below one means that Larder serves more.
pub(crate) fn ratio(rates: &[Rate]) -> Option<Spread> {
    let [larder, redis, ..] = rates else { return None };
    let pairs = redis.rounds.iter().zip(&larder.rounds);
    Some(Spread::of(pairs.map(|(one, other)| one / other).collect()))
}

/// `TITLE<tab>RATE RATE ...`
fn parse(line: &str) -> Fallible<Rate> {
    let (title, rates) = line.split_once('\t').ok_or("client.py printed another line")?;
    let rounds = rates.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    Ok(Rate { title: title.to_owned(), rounds })
}
