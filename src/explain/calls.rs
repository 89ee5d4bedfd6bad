//! One way in which a call may be asked: its key, its tags, the marks on them, and what would become of it.

use serde_json::{Map, Value as Json};

use super::Explainer;
use super::held::{Judge, reply};
use super::report::{CallReport, KeyReport, MarkReport, TagReport, TierReport};
use super::verdict::{Means, Situation};
use crate::cache::inspect::Inspected;
use crate::clock::Millis;
use crate::entry::Ending;
use crate::gateway::asking::Asking;
use crate::gateway::named::{Asked, MethodName, Served};
use crate::gateway::route::{Decision, Keyed};
use crate::key::{LeftOut, covering};
use crate::mark::{Cover, Known};
use crate::outcome::Outcome;
use crate::rule::tagging::{Named, Said};

/// What people ask about, as they say it.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// The method.
    pub method: &'a MethodName,
    /// Its arguments by name.
    pub arguments: &'a Json,
}

impl Explainer {
    /// What is known of a call that is asked so.
    pub(super) async fn call(&self, question: Question<'_>, asked: &Asked, served: &Served) -> CallReport {
        let Asked { name, route, key, .. } = asked;
        let keyed = route.keyed().zip(key.as_ref().ok().and_then(Option::as_deref));
        let there = match (&route.decision, keyed) {
            (Decision::Cache(cached) | Decision::Identify(cached), Some((keyed, key))) => {
                Some((cached, key, self.cache.inspect(keyed.caching.tiers, key).await))
            }
            (_, _) => None,
        };
        let (now, marks) = (self.clock.now(), self.cache.marks());
        let judged = there
            .as_ref()
            .map(|(cached, key, there)| (Judge { keyed: &cached.keyed, key, now, marks }, there));
        let redis = judged.and_then(|(_, there)| there.name.clone());
        let tags = keyed.map(|(keyed, _)| tags(keyed, asked, judged)).unwrap_or_default();
        let [at_once, in_outage] = outcomes(asked, judged, now).map(|outcome| outcome.as_str().to_owned());
        let tier = |of: fn(&Inspected) -> &_| {
            judged.map_or(TierReport::Unused, |(judge, there)| judge.report(of(there)))
        };
        CallReport {
            protocol: route.backend().settings().protocol.as_str().to_owned(),
            name: name.clone(),
            key: keyed.map(|(keyed, key)| KeyReport { redis, ..key_report(question, served, keyed, key) }),
            unkeyable: key.as_ref().err().map(ToString::to_string),
            marks: judged.map(|(judge, _)| marked(question.method, judge, &tags)).unwrap_or_default(),
            tags: tags.into_iter().map(tag_report).collect(),
            local: tier(|there| &there.local),
            shared: tier(|there| &there.shared),
            now: at_once,
            in_outage,
        }
    }
}

/// What would become of the call now, and if its backend failed.
fn outcomes(asked: &Asked, judged: Option<(Judge<'_>, &Inspected)>, now: Millis) -> [Outcome; 2] {
    let Asked { gateway, name, route, key, .. } = asked;
    let means = means(route.usually(), name);
    let passed = |usual| [means, means.in_outage()].map(|means| means.passed(usual));
    if route.usually().is_silent() {
        return [Outcome::Oneway, Outcome::Failed];
    }
    match (key, &route.decision, judged) {
        (_, Decision::Refuse, _) => [Outcome::Failed; 2],
        (_, Decision::Own(_), _) => [Outcome::Own; 2],
        (Err(_), _, _) => passed(Outcome::PassedUnkeyable),
        (_, Decision::Cache(cached), Some((judge, _))) if !cached.keyed.caching.ramp.takes(judge.key) => {
            passed(Outcome::PassedRamp)
        }
        (_, Decision::Cache(cached) | Decision::Identify(cached), Some((judge, there))) => {
            let local = reply(&there.local);
            let situation = |means| Situation {
                local: judge.freshness(&there.local),
                shared: judge.freshness(&there.shared),
                yields: local.is_some_and(|entry| cached.keyed.caching.yields(entry)),
                means,
            };
            [means, means.in_outage()].map(|means| situation(means).outcome())
        }
        (Ok(Some(key)), Decision::Observe(keyed), _) => {
            let is_fresh = gateway.observed.is_fresh(key, keyed.caching.ttl, now);
            passed(if is_fresh { Outcome::ObservedHit } else { Outcome::ObservedMiss })
        }
        (Ok(_), Decision::Pass | Decision::Cache(_) | Decision::Observe(_) | Decision::Identify(_), _) => {
            passed(Outcome::Passed)
        }
    }
}

/// What answers calls with this name on the wire where nothing kept does.
fn means(asking: &Asking, name: &str) -> Means {
    let backup = asking.backup.as_ref().filter(|backup| !backup.asking.is_out(name.as_bytes()));
    Means {
        is_out: asking.is_out(name.as_bytes()),
        backup: backup.map(|backup| backup.when),
        falls_back: asking.fallback.is_some(),
    }
}

/// The tags that the reply has, or would have.
fn tags(keyed: &Keyed, asked: &Asked, judged: Option<(Judge<'_>, &Inspected)>) -> Vec<Named> {
    let held = judged.and_then(|(_, there)| reply(&there.local).or_else(|| reply(&there.shared)));
    let held = held.filter(|entry| entry.ending == Ending::Result).map(|entry| entry.reply());
    keyed.caching.tagging.named(Said { call: asked.arguments(), reply: held })
}

fn tag_report(Named { pattern, names, awaits_reply, .. }: Named) -> TagReport {
    let untold = match (&names, awaits_reply) {
        (Some(_), _) => None,
        (None, true) => Some("its reply tells, and none is held".to_owned()),
        (None, false) => {
            Some("a field is absent or empty: a mark on any tag of this form covers it".to_owned())
        }
    };
    let names = names.unwrap_or_default();
    let tags = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    TagReport { template: pattern, tags, untold }
}

/// The last marks on all that may cover the reply.
fn marked(method: &MethodName, judge: Judge<'_>, tags: &[Named]) -> Vec<MarkReport> {
    let MethodName { service, method } = method;
    let [of_method, of_service, all] = covering(service.as_bytes(), method.as_bytes());
    let mut covers = vec![
        ("this key".to_owned(), Cover::key(judge.key)),
        (format!("method {service}.{method}"), of_method),
        (format!("service {service}"), of_service),
        ("all".to_owned(), all),
    ];
    for Named { pattern, names, family, untold, .. } in tags {
        covers.push((format!("all tags {pattern}"), *family));
        match names {
            Some(names) => covers.extend(names.iter().map(|name| (tag_name(name), Cover::tag(name)))),
            None => covers.push((format!("a tag {pattern} that may be this reply's"), *untold)),
        }
    }
    let known = |(on, cover): (String, Cover)| {
        let known = judge.marks.known(cover);
        known.into_iter().map(move |known| mark_report(on.clone(), known, judge.now)).collect::<Vec<_>>()
    };
    covers.into_iter().flat_map(known).collect()
}

fn tag_name(name: &[u8]) -> String {
    format!("tag {}", String::from_utf8_lossy(name))
}

fn mark_report(on: String, known: Known, now: Millis) -> MarkReport {
    MarkReport {
        on,
        kind: known.kind,
        age: now.since(known.at).as_secs_f64(),
        version: known.version.map(|version| version.to_string()),
        settles: known.unsettled.since(now).as_secs_f64(),
    }
}

/// A key as people read it: by the arguments that make it.
fn key_report(question: Question<'_>, served: &Served, keyed: &Keyed, key: &[u8]) -> KeyReport {
    let Cover(hash) = Cover::key(key);
    let MethodName { service, method } = question.method;
    let declared = served.routes.declaration(service, method);
    let fields = declared.map(|(_, method)| method.arguments.as_slice()).unwrap_or_default();
    let extent = |name: &str| {
        let field = fields.iter().find(|field| field.name == name);
        field.map_or(LeftOut::Nothing, |field| keyed.caching.ignored.of(field.id))
    };
    let given = question.arguments.as_object().into_iter().flatten();
    let there = given.filter(|(name, value)| !value.is_null() && !matches!(extent(name), LeftOut::Whole));
    let there: Map<String, Json> = there.map(|(name, value)| (name.clone(), value.clone())).collect();
    let ignored = fields.iter().filter(|field| !matches!(extent(&field.name), LeftOut::Nothing));
    KeyReport {
        hash: format!("{hash:032x}"),
        redis: None,
        call: format!("{service}.{method} {}", Json::Object(there)),
        ignored: ignored.map(|field| field.name.clone()).collect(),
    }
}
