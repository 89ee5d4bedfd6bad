//! The report: one Markdown table a cell, and a verdict on each target that was measured.

use std::fmt;

use hdrhistogram::Histogram;

use crate::cell::Cell;
use crate::load::Measured;
use crate::memory::Memory;
use crate::pending::Pending;
use crate::python::Rate;
use crate::servers::Name;
use crate::trial::Row;

/// All a run found. Displays as Markdown.
#[derive(Debug)]
pub(crate) struct Report {
    rounds: usize,
    seconds: f64,
    cells: Vec<(Cell, Vec<Row>)>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) pending: Option<Pending>,
    pub(crate) python: Vec<Rate>,
    /// What could not be measured, and why.
    pub(crate) missing: Vec<String>,
}

/// Median, least and greatest of the rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

/// At most this share of the CPU time of `against`, in `cell`.
#[derive(Debug)]
struct Target {
    server: Name,
    against: Name,
    cell: Cell,
    limit: f64,
}

impl Report {
    pub(crate) fn new(rounds: usize, seconds: f64) -> Self {
        let (cells, memory, python, missing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { rounds, seconds, cells, memory, pending: None, python, missing }
    }

    pub(crate) fn add_cell(&mut self, cell: Cell, rows: Vec<Row>) {
        self.cells.push((cell, rows));
    }

    fn ratio(&self, target: &Target) -> Option<Spread> {
        let (_, rows) = self.cells.iter().find(|(cell, _)| *cell == target.cell)?;
        ratio(rows, target.server, target.against)
    }

    fn write_verdicts(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "### Targets\n\n| target | limit | reached (min-max) | verdict |\n|---|---|---|---|")?;
        for target in &TARGETS {
            let what =
                format!("{} / {}, CPU, {}", target.server.title(), target.against.title(), target.cell);
            match self.ratio(target) {
                Some(spread) => verdict(out, &what, target.limit, spread)?,
                None => writeln!(out, "| {what} | {:.2} | - | not measured |", target.limit)?,
            }
        }
        for memory in &self.memory {
            verdict(out, &memory.what, memory.limit, Spread::of(vec![memory.reached]))?;
        }
        if let Some(pending) = &self.pending {
            verdict(out, "hits' p99.9, 10,000 misses pending / none", 2.0, pending.ratio)?;
        }
        if let Some(ratio) = crate::python::ratio(&self.python) {
            verdict(out, "calls/s of thriftpy2 with redis-py / through Larder", 1.0, ratio)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} rounds of {} s; medians, in brackets least and greatest.\n",
            self.rounds, self.seconds
        )?;
        for (cell, rows) in &self.cells {
            write_cell(out, *cell, rows)?;
        }
        if let Some(pending) = &self.pending {
            writeln!(
                out,
                "Hits' p99.9: {} us unloaded, {} us with 10,000 misses pending.\n",
                pending.unloaded, pending.loaded
            )?;
        }
        if !self.python.is_empty() {
            writeln!(out, "| thriftpy2 client, one connection | calls/s |\n|---|---|")?;
            for rate in &self.python {
                writeln!(out, "| {} | {} |", rate.title, Spread::of(rate.rounds.clone()))?;
            }
            writeln!(out)?;
        }
        self.write_verdicts(out)?;
        for missing in &self.missing {
            writeln!(out, "\nNot measured: {missing}")?;
        }
        Ok(())
    }
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(last - last / 2));
        Self { median, least: at(0), greatest: at(last) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median < 100.0 { 2 } else { 0 };
        write!(out, "{:.digits$} ({:.digits$}-{:.digits$})", self.median, self.least, self.greatest)
    }
}

fn write_cell(out: &mut fmt::Formatter<'_>, cell: Cell, rows: &[Row]) -> fmt::Result {
    writeln!(out, "### {} connections x {} in flight, {} bytes\n", cell.connections, cell.depth, cell.size)?;
    write!(out, "| server | calls/s | CPU us/call | user % | p50 / p99 / p99.9 us |")?;
    writeln!(out, " to echo | to HAProxy | to Envoy | to Redis |\n|---|---|---|---|---|---|---|---|---|")?;
    for row in rows {
        let rate = Spread::of(row.rounds.iter().map(|round| round.calls as f64 / round.seconds).collect());
        let cost = Spread::of(row.rounds.iter().map(cost).collect());
        write!(
            out,
            "| {} | {:.0} | {cost} | {:.0} | {} |",
            row.name.title(),
            rate.median,
            user(row),
            quantiles(row)
        )?;
        for base in [Name::Echo, Name::Haproxy, Name::Envoy, Name::Redis] {
            match ratio(rows, row.name, base) {
                Some(spread) if base != row.name => write!(out, " {spread} |")?,
                Some(_) | None => write!(out, " - |")?,
            }
        }
        writeln!(out)?;
    }
    writeln!(out)
}

/// Of the CPU time per call, round by round.
fn ratio(rows: &[Row], server: Name, base: Name) -> Option<Spread> {
    let row = |name| rows.iter().find(|row| row.name == name);
    let pairs = row(server)?.rounds.iter().zip(&row(base)?.rounds);
    Some(Spread::of(pairs.map(|(one, other)| cost(one) / cost(other)).collect()))
}

/// CPU microseconds a call.
fn cost(measured: &Measured) -> f64 {
    measured.cpu.total as f64 / 1000.0 / measured.calls as f64
}

fn user(row: &Row) -> f64 {
    let ticks = |of: fn(&Measured) -> u64| row.rounds.iter().map(of).sum::<u64>() as f64;
    100.0 * ticks(|round| round.cpu.user) / ticks(|round| round.cpu.user + round.cpu.system).max(1.0)
}

fn quantiles(row: &Row) -> String {
    let mut all: Option<Histogram<u64>> = None;
    for round in &row.rounds {
        match &mut all {
            // All have the same bounds, so that an addition cannot fail.
            Some(sum) => sum.add(&round.latencies).unwrap_or_default(),
            None => all = Some(round.latencies.clone()),
        }
    }
    let at = |quantile| all.as_ref().map_or(0, |sum| sum.value_at_quantile(quantile) / 1000);
    format!("{} / {} / {}", at(0.5), at(0.99), at(0.999))
}

fn verdict(out: &mut fmt::Formatter<'_>, what: &str, limit: f64, reached: Spread) -> fmt::Result {
    let word = if reached.median <= limit { "reached" } else { "missed" };
    writeln!(out, "| {what} | {limit:.2} | {reached} | {word} |")
}

const fn target(server: Name, against: Name, cell: Cell, limit: f64) -> Target {
    Target { server, against, cell, limit }
}

const TARGETS: [Target; 21] = [
    target(Name::Hit, Name::Echo, Cell::USUAL, 1.2),
    target(Name::Hit, Name::Echo, Cell::PIPELINED, 3.0),
    target(Name::Hit, Name::Redis, Cell::USUAL, 1.1),
    target(Name::Passed, Name::Haproxy, Cell::USUAL, 1.3),
    target(Name::Passed, Name::Envoy, Cell::USUAL, 0.5),
    target(Name::Passed, Name::Haproxy, Cell::PIPELINED, 3.0),
    target(Name::Passed, Name::Envoy, Cell::PIPELINED, 0.2),
    target(Name::Shared, Name::Fetch, Cell::USUAL, 1.3),
    target(Name::Shared, Name::Fetch, Cell::PIPELINED, 1.3),
    target(Name::Hit, Name::HitBefore, Cell::USUAL, 1.02),
    target(Name::Hit, Name::HitBefore, Cell::PIPELINED, 1.02),
    target(Name::Translated, Name::Hit, Cell::USUAL, 1.5),
    target(Name::Translated, Name::Hit, Cell::PIPELINED, 1.5),
    target(Name::Marked, Name::Hit, Cell::USUAL, 1.05),
    target(Name::Marked, Name::Hit, Cell::PIPELINED, 1.05),
    target(Name::TranslatedPassed, Name::Passed, Cell::USUAL, 1.3),
    target(Name::TranslatedPassed, Name::Passed, Cell::PIPELINED, 1.3),
    target(Name::Observed, Name::Passed, Cell::USUAL, 1.15),
    target(Name::Observed, Name::Passed, Cell::PIPELINED, 1.15),
    target(Name::Passed, Name::PassedBefore, Cell::USUAL, 1.02),
    target(Name::Passed, Name::PassedBefore, Cell::PIPELINED, 1.02),
];
