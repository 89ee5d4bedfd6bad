//! Whether bounds hold, and whether anything is left over once all is quiet.

use std::collections::BTreeMap;

use super::record::Record;
use super::{Complaint, Sentence};
use crate::history::{Moment, What};
use crate::world::BUFFERED;

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    let mut last = BTreeMap::new();
    let most = record.world.limits.max_connections;
    for event in record.events {
        match &event.what {
            What::UnderWay { gateway, connections, held, flights, calls, writes, links } => {
                last.insert(
                    *gateway,
                    (event.at, [*connections, *held, *flights, *calls, *writes, links.iter().sum()]),
                );
                // One that comes back finds calls under way on the connections that it had before.
                let times = |endpoint| if record.world.may_be_absent(endpoint) { 2 } else { 1 };
                let over =
                    links.iter().enumerate().find(|(endpoint, links)| **links > most * times(*endpoint));
                if let Some((_, links)) = over {
                    let why = format!(
                        "gateway {gateway} has {links} connections to an endpoint, and may have {most}"
                    );
                    say(about(Sentence::InBounds, event.at, why));
                }
                if *held > BUFFERED {
                    let why = format!("gateway {gateway} holds {held} bytes, and may hold {BUFFERED}");
                    say(about(Sentence::InBounds, event.at, why));
                }
            }
            What::Panicked { what } => say(about(Sentence::NoPanic, event.at, what.clone())),
            _ => {}
        }
    }
    for (gateway, (at, left)) in last {
        if at > record.quiet && left.iter().any(|count| *count > 0) {
            let [connections, held, flights, calls, writes, links] = left;
            let why = format!(
                "when all is quiet, gateway {gateway} has {connections} connections, {held} bytes, {flights} \
                 flights, {calls} calls at endpoints, {writes} writes and {links} connections to endpoints"
            );
            say(about(Sentence::NothingLeft, at, why));
        }
    }
}

fn about(sentence: Sentence, at: Moment, why: String) -> Complaint {
    Complaint { sentence, why, at, wires: Vec::new(), key: None }
}
