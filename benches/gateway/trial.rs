//! A cell's rounds: every server in turn, again and again, so that what drifts drifts for all.

use crate::Fallible;
use crate::cell::Cell;
use crate::load::Measured;
use crate::servers::{Field, Name};

/// What all rounds of a cell said of one server, in their order.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) rounds: Vec<Measured>,
}

/// Measures every server of `field` that takes `cell`, `rounds` times in turn.
///
/// # Errors
/// When a server answers wrongly or closes.
pub(crate) fn run(field: &mut Field, cell: Cell, rounds: usize, seconds: f64) -> Fallible<Vec<Row>> {
    let mut contestants: Vec<_> = field.contestants.iter_mut().filter(|one| one.takes(cell)).collect();
    let mut rows: Vec<_> = contestants.iter().map(|one| Row { name: one.name, rounds: Vec::new() }).collect();
    for contestant in &mut contestants {
        contestant.fill(cell.size).map_err(|fault| named(contestant.name, &*fault))?;
    }
    for _ in 0..rounds {
        for (contestant, row) in contestants.iter().zip(&mut rows) {
            let measured = contestant.load(cell).measure(&contestant.process, seconds);
            row.rounds.push(measured.map_err(|fault| named(contestant.name, &*fault))?);
        }
    }
    Ok(rows)
}

fn named(name: Name, fault: &dyn std::error::Error) -> String {
    format!("{}: {fault}", name.title())
}
