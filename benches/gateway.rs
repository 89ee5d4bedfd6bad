//! The benchmark of the gateway: what a call costs in Larder, beside a bare echo and beside its peers.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads the real clock and connects by itself"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its table and its progress"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::cell::Cells;
use crate::report::Report;

#[path = "gateway/call.rs"]
mod call;
#[path = "gateway/cell.rs"]
mod cell;
#[path = "gateway/compact.rs"]
mod compact;
#[path = "gateway/echo.rs"]
mod echo;
#[path = "gateway/fetching.rs"]
mod fetching;
#[path = "gateway/ids.rs"]
mod ids;
#[path = "gateway/load.rs"]
mod load;
#[path = "gateway/memory.rs"]
mod memory;
#[path = "gateway/pending.rs"]
mod pending;
#[path = "gateway/process.rs"]
mod process;
#[path = "gateway/python.rs"]
mod python;
#[path = "gateway/report.rs"]
mod report;
#[path = "gateway/servers.rs"]
mod servers;
#[path = "gateway/trial.rs"]
mod trial;

/// What every fallible step of the benchmark returns: its faults are only ever printed.
type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures CPU time per call, calls per second and latency of Larder and its peers, interleaved in one run.
#[derive(Parser, Debug)]
struct Options {
    /// Two rounds of a quarter of a second: to see that everything runs, not to believe a figure.
    #[arg(long)]
    quick: bool,
    /// Comma separated: CONNECTIONSxDEPTHxBYTES, memory, pending, python, default, all.
    #[arg(long, default_value = "default")]
    cells: Cells,
    /// Comma separated servers to measure: echo, hit, translated, marked, million, passed, translated-passed, observed, haproxy, envoy, redis, shared, fetch. Default: all of them.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<servers::Name>,
    /// Seconds measured of each server in each round.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Rounds over all servers of a cell.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The virtual environment that `benches/peers.sh` made.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers"))]
    peers: PathBuf,
    /// Another build of Larder, such as the version before a change, to measure beside this one.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Be the echo server on this port instead.
    #[arg(long, hide = true)]
    echo: Option<u16>,
    /// As that server, get the replies from this Redis.
    #[arg(long, hide = true, requires = "echo")]
    from: Option<SocketAddr>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.quick {
        (options.seconds, options.rounds) = (0.25, 2);
    }
    let done = match (options.echo, options.from) {
        (Some(port), Some(redis)) => fetching::serve(port, redis),
        (Some(port), None) => echo::serve(port),
        (None, _) => measure(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("gateway bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Fallible<()> {
    process::pin_self(process::Core::Client)?;
    let place = servers::Place::find(&options.peers, options.before.as_deref())?;
    let mut report = Report::new(options.rounds, options.seconds);
    if !options.cells.loads.is_empty() {
        let mut field = servers::Field::start(&place, &options.servers, &options.cells.loads)?;
        report.missing.append(&mut field.missing);
        for cell in &options.cells.loads {
            eprintln!("{cell}");
            let rows = trial::run(&mut field, *cell, options.rounds, options.seconds)?;
            report.add_cell(*cell, rows);
        }
    }
    if options.cells.memory {
        eprintln!("memory");
        report.memory = memory::run(&place)?;
    }
    if options.cells.pending {
        eprintln!("pending");
        report.pending = Some(pending::run(&place, options.rounds, options.seconds)?);
    }
    if options.cells.python {
        eprintln!("python");
        match python::run(&place, options.rounds, options.seconds)? {
            python::Outcome::Measured(rates) => report.python = rates,
            python::Outcome::Missing(what) => report.missing.push(what),
        }
    }
    print!("{report}");
    Ok(())
}
