//! Which rules the methods should have that a rule observes, by what was learnt of their calls.

pub(crate) mod report;
mod rule;
mod verdict;
pub(crate) mod writes;

use crate::clock::Clock;
use crate::gateway::Gateway;
use crate::gateway::named::Directory;
use crate::idl::Method;
use crate::study::{FieldSummary, LifetimeSummary, Study, Summary};
use crate::wire::message::split_name;

use report::{Advice, FieldReport, LifetimeReport, MethodReport, Question};
use verdict::{Known, verdict};

/// Who advises.
#[derive(Debug)]
pub(crate) struct Adviser {
    directory: Directory,
    clock: Clock,
}

impl Adviser {
    /// Advises on what `directory` serves.
    pub(crate) fn new(directory: Directory, clock: Clock) -> Self {
        Self { directory, clock }
    }

    /// What each method that was studied should have, and the rules for all of them.
    pub(crate) fn advise(&self, question: Question) -> Advice {
        let gateways = self.directory.gateways();
        let methods = gateways.values().flat_map(|gateway| {
            let studies = gateway.studies.each().into_iter();
            studies.filter_map(|(name, study)| self.method(gateway, &name, &study, question))
        });
        let methods: Vec<MethodReport> = methods.collect();
        let rules = methods.iter().filter_map(|method| method.rule.as_deref());
        let rules = rules.collect::<Vec<_>>().join("\n");
        Advice { methods, rules }
    }

    fn method(
        &self,
        gateway: &Gateway,
        name: &[u8],
        study: &Study,
        question: Question,
    ) -> Option<MethodReport> {
        let routes = gateway.routes.load();
        let (prefix, method) = split_name(name);
        let service = prefix.map_or_else(|| Ok(routes.service()), std::str::from_utf8).ok()?;
        let method = std::str::from_utf8(method).ok()?;
        let summary = study.summary(self.clock.now());
        let declared = routes.declaration(service, method).map(|(_, method)| method);
        let known = Known { name: method, declared, tolerance: question.tolerance };
        let verdict = verdict(&summary, &known);
        let fields = summary.fields.iter().map(|field| field_report(field, summary.varied, declared));
        let pattern = format!("{service}.{method}");
        let rule = rule::rule(&pattern, &verdict, &rule::left_out(study.ignored(), declared));
        Some(MethodReport {
            listener: gateway.counts.listener().to_string(),
            method: pattern,
            name: String::from_utf8_lossy(name).into_owned(),
            observed: summary.observed.as_secs_f64(),
            calls: summary.calls,
            distinct: summary.distinct.round() as u64,
            unkeyable: summary.unkeyable,
            faults: summary.faults,
            exceptions: summary.exceptions,
            reply: summary.reply,
            lifetimes: summary.lifetimes.iter().map(|lifetime| lifetime_report(&summary, lifetime)).collect(),
            fields: fields.collect(),
            verdict,
            rule,
        })
    }
}

fn lifetime_report(summary: &Summary, lifetime: &LifetimeSummary) -> LifetimeReport {
    let LifetimeSummary { ttl, hits, compared, wrong, entries, risk: _ } = *lifetime;
    LifetimeReport {
        ttl: ttl.as_secs(),
        seen: summary.observed >= ttl,
        hits,
        compared,
        wrong,
        memory: (entries * (summary.reply + ENTRY)).round() as u64,
    }
}

fn field_report(field: &FieldSummary, varied: bool, declared: Option<&Method>) -> FieldReport {
    FieldReport {
        name: field_name(declared, field.id),
        others: field.others,
        differing: field.differing,
        again: field.again,
        new_values: field.new_values,
        idle: varied && verdict::is_idle(field),
    }
}

/// What people call an argument field.
fn field_name(declared: Option<&Method>, id: i16) -> String {
    let named = declared.and_then(|method| method.arguments.iter().find(|field| field.id == id));
    named.map_or_else(|| id.to_string(), |field| field.name.clone())
}

/// What an entry takes beside its reply: key, tags and place, about.
const ENTRY: f64 = 300.0;

#[cfg(test)]
mod tests;
