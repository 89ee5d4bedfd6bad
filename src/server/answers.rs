//! What answered the calls of the last hour: the listeners' counters are looked at twice in each slot of it.

use std::sync::Arc;

use super::build::Parts;
use crate::admin::answers::{Answers, MethodAnswers, SourceAnswers};
use crate::clock::Millis;
use crate::metrics::{Counted, History, Source, Sources, Whose};

impl Parts {
    /// Takes down what has answered. Never ends.
    pub(super) async fn watch_answers(&self) {
        loop {
            self.note_answers(self.clock.now());
            tokio::time::sleep(History::SLOT / 2).await;
        }
    }

    /// What answered in the hour before `now`.
    pub(super) fn answers(&self, now: Millis) -> Answers {
        self.note_answers(now);
        let methods = self.history.read(now).into_iter().map(method_answers).collect();
        Answers {
            slot_seconds: History::SLOT.as_secs(),
            slots: History::SLOTS as u64,
            until_unix_seconds: now.0 as f64 / 1_000.0,
            methods,
        }
    }

    fn note_answers(&self, now: Millis) {
        let gateways = self.gateways.all();
        let counted = gateways.values().flat_map(|gateway| {
            let listener = gateway.counts.listener();
            let of = |one: Counted| ((Arc::clone(listener), one.method), Source::sums(&one.outcomes));
            gateway.counts.methods().into_iter().map(of)
        });
        self.history.note(counted, now);
    }
}

fn method_answers(((listener, method), slots): (Whose, Vec<Sources>)) -> MethodAnswers {
    let sources = Source::ALL.map(|source| {
        let calls = slots.iter().map(|sources| sources.get(source as usize).copied().unwrap_or_default());
        SourceAnswers { source, calls: calls.collect() }
    });
    let sources = sources.into_iter().filter(|source| source.calls.iter().any(|calls| *calls > 0));
    MethodAnswers { listener: listener.to_string(), method: method.to_string(), sources: sources.collect() }
}
