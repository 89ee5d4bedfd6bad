//! What a gateway says of itself to clients that ask in the words of fb303, the interface by which Thrift services are watched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};

use crate::call::CallRef;
use crate::clock::Millis;
use crate::idl::{Method, Schema, value};
use crate::metrics::ListenerCounts;
use crate::outcome::Outcome;

/// How the process is.
#[derive(Debug)]
pub(crate) struct Vitals {
    schema: Schema,
    started: Millis,
    is_stopping: AtomicBool,
}

/// A question that a gateway answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Who it is.
    Name,
    /// Which version of it.
    Version,
    /// How it is.
    Status,
    /// The same in words.
    StatusDetails,
    /// All that was counted.
    Counters,
    /// One of these.
    Counter,
    /// When it was started.
    AliveSince,
}

impl Question {
    /// All there are.
    pub(crate) const ALL: [Self; 7] = [
        Self::Name,
        Self::Version,
        Self::Status,
        Self::StatusDetails,
        Self::Counters,
        Self::Counter,
        Self::AliveSince,
    ];

    /// The method that asks it.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Name => "getName",
            Self::Version => "getVersion",
            Self::Status => "getStatus",
            Self::StatusDetails => "getStatusDetails",
            Self::Counters => "getCounters",
            Self::Counter => "getCounter",
            Self::AliveSince => "aliveSince",
        }
    }
}

impl Vitals {
    /// Of a process that was started at this time.
    pub(crate) fn new(started: Millis) -> Self {
        let schema = Schema::load(Path::new("fb303.thrift"), |_| Ok(IDL.to_owned()));
        let schema = schema.expect("the idl that is compiled in is read by a test");
        Self { schema, started, is_stopping: AtomicBool::new(false) }
    }

    /// The process was told to stop.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the process was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// The answer to a call that asks `question` of a listener of which this was counted: the struct of a reply.
    ///
    /// # Errors
    /// Why the call's arguments cannot be read.
    pub(super) fn answer(
        &self,
        question: Question,
        call: &CallRef<'_>,
        counts: &ListenerCounts,
    ) -> Result<Vec<u8>, String> {
        let method = self.declared(question);
        let arguments = value::read_arguments(&self.schema, method, call.protocol, call.body);
        let arguments = arguments.map_err(|error| error.to_string())?;
        let said = self.said(question, arguments.get("key"), counts);
        value::result(&self.schema, method, &said, call.protocol).map_err(|problem| problem.to_string())
    }

    fn said(&self, question: Question, key: Option<&Json>, counts: &ListenerCounts) -> Json {
        match question {
            Question::Name => json!("larder"),
            Question::Version => json!(env!("CARGO_PKG_VERSION")),
            Question::Status if self.is_stopping() => json!("STOPPING"),
            Question::Status => json!("ALIVE"),
            Question::StatusDetails if self.is_stopping() => json!("told to stop"),
            Question::StatusDetails => json!("answers calls"),
            Question::Counters => json!(counters(counts)),
            Question::Counter => {
                let key = key.and_then(Json::as_str).unwrap_or_default();
                json!(counters(counts).get(key).copied().unwrap_or_default())
            }
            Question::AliveSince => json!(self.started.0 / 1000),
        }
    }

    fn declared(&self, question: Question) -> &Method {
        let service = self.schema.service(SERVICE);
        let method = service.and_then(|service| service.methods.get(question.method()));
        method.expect("a test reads the idl, which has a method for each question")
    }
}

/// The calls of a listener by what became of them: all together, and of each method.
fn counters(counts: &ListenerCounts) -> BTreeMap<String, u64> {
    let mut counters = BTreeMap::new();
    for method in counts.methods() {
        for (outcome, calls) in Outcome::ALL.iter().zip(method.outcomes).filter(|(_, calls)| *calls > 0) {
            let outcome = outcome.as_str();
            *counters.entry(format!("calls.{outcome}")).or_default() += calls;
            counters.insert(format!("{}.{outcome}", method.method), calls);
        }
    }
    counters
}

const IDL: &str = include_str!("../../idl/fb303.thrift");

/// The service whose methods the questions are.
pub(crate) const SERVICE: &str = "FacebookService";

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::metrics::Metrics;
    use crate::wire::Protocol;

    #[test]
    fn each_question_has_a_method_that_can_say_its_answer() {
        let vitals = Vitals::new(Millis(1_700_000_000_000));
        let counts = Metrics::register(&mut Registry::default()).listener("users".into());
        for question in Question::ALL {
            let said = vitals.said(question, None, &counts);
            for protocol in [Protocol::Binary, Protocol::Compact] {
                let written = value::result(&vitals.schema, vitals.declared(question), &said, protocol);
                assert!(written.is_ok(), "{question:?}: {written:?}");
            }
        }
        assert_eq!(vitals.said(Question::AliveSince, None, &counts), json!(1_700_000_000));
        assert_eq!(vitals.said(Question::Status, None, &counts), json!("ALIVE"));
        vitals.stop();
        assert_eq!(vitals.said(Question::Status, None, &counts), json!("STOPPING"));
    }
}
