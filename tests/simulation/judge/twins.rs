//! Whether well-behaved clients fare as they would without the others: two histories of one seed, side by side.

use std::collections::BTreeMap;

use super::record::{Call, Line, Record};
use super::replies::is_silent;
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::service::Content;

/// How a call of a polite client fared.
struct Fared<'a> {
    line: &'a Line,
    call: &'a Call,
    /// How long it took, if it was answered and did not fail.
    well: Option<Moment>,
    /// It was turned away from a line in which its client may have had more than its part.
    took_more: bool,
}

/// Complains of what befell a polite client in the company of others and does not befall it without them.
pub(crate) fn compare(with: &Record<'_>, without: &Record<'_>) -> Vec<Complaint> {
    let alone = fared(without);
    let mut complaints = Vec::new();
    for (number, fared) in fared(with) {
        let Some(took) = alone.get(&number).and_then(|alone| alone.well) else { continue };
        let why = match fared.well {
            None if fared.took_more => continue,
            None => {
                format!("call {number} fails, and is answered after {} ms without the others", took / 1000)
            }
            Some(longer) if longer > took + BOUND => {
                format!("call {number} takes {} ms, and {} ms without the others", longer / 1000, took / 1000)
            }
            Some(_) => continue,
        };
        complaints.push(Complaint {
            sentence: Sentence::NobodyElsePays,
            why,
            at: fared.call.at + BOUND,
            wires: vec![fared.line.wire],
            key: Some(fared.call.asked.key),
        });
    }
    complaints
}

fn fared<'a>(record: &'a Record<'_>) -> BTreeMap<u64, Fared<'a>> {
    let mut all = BTreeMap::new();
    for line in record.lines.values().filter(|line| record.manner(line).is_polite()) {
        for (call, reply) in line.pairs(|call| is_silent(record, call)) {
            let answered =
                reply.filter(|reply| !matches!(reply.content, Content::Fault(_) | Content::Strange(_)));
            let well = answered.map(|reply| reply.at.saturating_sub(call.at));
            let busy = matches!(reply.map(|reply| &reply.content), Some(Content::Fault(text)) if text.contains("is busy"));
            let took_more = busy && may_take_more(record, line);
            all.insert(call.asked.call, Fared { line, call, well, took_more });
        }
    }
    all
}

/// Whether a client may have more calls under way than its part of the line for an endpoint, where all others are in it too: clients take
/// turns there, and a full line turns away who has most in it.
fn may_take_more(record: &Record<'_>, line: &Line) -> bool {
    let clients = &record.world.clients;
    let width = clients.iter().find(|client| client.number == line.client).map_or(1, |client| client.width);
    width > record.world.limits.max_waiting / clients.len().max(1)
}

/// What a polite client may lose by others: in a world where nothing else is wrong, the time that it waits for a connection.
const BOUND: Moment = 1_000_000;
