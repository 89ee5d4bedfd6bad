//! The rules against the IDL of the listeners whose calls they govern.

use std::collections::BTreeMap;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::draft::{Draft, Placed, Rule};
use super::outside::{Outside, beside};
use super::problem::Problem;
use crate::idl::{self, Method, Schema, Service};
use crate::listener::options::Options as Listener;
use crate::rule::pattern::Methods;
use crate::rule::resolve::resolve;
use crate::setting::{Finding, nearest};

/// The IDL of each listener that has one, by the listener's name.
pub(super) type Schemas = BTreeMap<String, Read>;

/// An IDL that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) schema: Schema,
    /// Of all its files.
    pub(super) digest: u128,
}

fn read(path: &Path, outside: &Outside<'_>) -> Result<Read, Vec<idl::Problem>> {
    let mut digest = Xxh3::new();
    let schema = Schema::load(path, |path| {
        let text = (outside.read_file)(path)?;
        digest.update(text.as_bytes());
        Ok(text)
    })?;
    Ok(Read { schema, digest: digest.digest128() })
}

/// What was found, and what was read on the way.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    pub(super) schemas: Schemas,
}

/// Reads the listeners' IDL and holds the rules against it.
pub(super) fn check(draft: &Draft, file: &Path, outside: &Outside<'_>) -> Checked {
    let mut checked = Checked::default();
    for (name, listener) in &draft.listeners {
        let Some(idl) = &listener.options.idl else {
            continue;
        };
        match read(&beside(file, idl), outside) {
            Ok(read) => {
                checked.problems.extend(
                    service_fault(listener, &read.schema).map(|fault| listener.place.problem(file, fault)),
                );
                checked.schemas.insert(name.clone(), read);
            }
            Err(problems) => {
                let said = problems.into_iter().map(|problem| idl_problem(file, listener, problem));
                checked.problems.extend(said);
            }
        }
    }
    for rule in &draft.rules {
        let findings = match served(draft, rule, &checked.schemas) {
            Served::By(methods) => rule_faults(rule, &methods),
            Served::Perhaps => Vec::new(),
            Served::Nowhere(Some(name)) => {
                let message = format!("no listener serves {}", rule.pattern.service());
                vec![Finding::new("", message).suggesting(Some(name))]
            }
            Served::Nowhere(None) => {
                let message = format!(
                    "no listener serves {}: the rule governs only calls that name it \
                    (Service:method)",
                    rule.pattern.service()
                );
                checked.warnings.push(rule.section.place.problem(file, Finding::new("", message)));
                continue;
            }
        };
        checked
            .problems
            .extend(findings.into_iter().map(|finding| rule.section.place.problem(file, finding)));
    }
    checked.problems.sort();
    checked.problems.dedup();
    checked
}

fn service_fault(listener: &Placed<Listener>, schema: &Schema) -> Option<Finding> {
    let name = &listener.options.service;
    if schema.service(name).is_some() || !listener.place.gives("service") {
        return None;
    }
    let known = schema.services().map(|service| service.name.as_str());
    Some(
        Finding::new("service", format!("the idl declares no service {name}"))
            .suggesting(nearest(name, known)),
    )
}

/// A problem in an IDL file stands where that file says; one of the way to the file stands in the listener.
fn idl_problem(file: &Path, listener: &Placed<Listener>, problem: idl::Problem) -> Problem {
    let root = listener.options.idl.as_ref().map(|idl| beside(file, idl));
    if let idl::Mistake::Unreadable { path, .. } = &problem.mistake
        && Some(path) == root.as_ref()
    {
        return listener.place.problem(file, Finding::new("idl", problem.mistake.to_string()));
    }
    Problem {
        message: problem.mistake.to_string(),
        line: problem.line as usize,
        file: problem.file,
        path: String::new(),
        suggestion: None,
    }
}

/// Who answers the calls of a rule.
enum Served<'a> {
    /// Listeners: with IDL each service, else `None`.
    By(Vec<Option<(&'a Schema, &'a Service)>>),
    /// A listener whose IDL could not be read or lacks its service, which is said elsewhere.
    Perhaps,
    /// Nobody by that name, but perhaps by another.
    Nowhere(Option<String>),
}

fn served<'a>(draft: &Draft, rule: &Rule, schemas: &'a Schemas) -> Served<'a> {
    let name = rule.pattern.service();
    let mut services = Vec::new();
    let mut perhaps = false;
    for (listener, placed) in draft.listeners.iter().filter(|(_, listener)| listener.options.service == name)
    {
        match (schemas.get(listener), &placed.options.idl) {
            (Some(read), _) => match read.schema.service(name) {
                Some(service) => services.push(Some((&read.schema, service))),
                None => perhaps = true,
            },
            (None, Some(_)) => perhaps = true,
            (None, None) => services.push(None),
        }
    }
    if services.is_empty() && !perhaps {
        let multiplexed =
            schemas.values().filter_map(|read| Some((&read.schema, read.schema.service(name)?)));
        services.extend(multiplexed.map(Some));
    }
    if !services.is_empty() {
        return Served::By(services);
    }
    if perhaps {
        return Served::Perhaps;
    }
    let declared =
        schemas.values().flat_map(|read| read.schema.services()).map(|service| service.name.as_str());
    let listened = draft.listeners.values().map(|listener| listener.options.service.as_str());
    Served::Nowhere(nearest(name, declared.chain(listened)))
}

/// What is wrong with a rule for the services that it may govern.
fn rule_faults(rule: &Rule, services: &[Option<(&Schema, &Service)>]) -> Vec<Finding> {
    let mut found = Vec::new();
    for service in services {
        match service {
            None => found.extend(resolve(&rule.section.options, None).err().unwrap_or_default()),
            Some((schema, service)) => found.extend(service_faults(rule, schema, service)),
        }
    }
    found
}

fn service_faults(rule: &Rule, schema: &Schema, service: &Service) -> Vec<Finding> {
    let governed: Vec<&Method> =
        service.methods.values().filter(|method| rule.pattern.matches(&service.name, &method.name)).collect();
    let names = || service.methods.keys().map(String::as_str);
    if governed.is_empty() {
        let finding = match rule.pattern.methods() {
            Methods::Exact(name) => Finding::new("", format!("{} has no method {name}", service.name))
                .suggesting(nearest(name, names())),
            Methods::Prefix(prefix) => {
                let message = format!("{} has no method that begins with {prefix}", service.name);
                Finding::new("", message).suggesting(nearest(prefix, names()))
            }
        };
        return vec![finding];
    }
    let mut faults = governed
        .iter()
        .map(|method| resolve(&rule.section.options, Some((schema, *method))).err().unwrap_or_default());
    let first = faults.next().unwrap_or_default();
    let others: Vec<_> = faults.collect();
    let everywhere = |finding: &Finding| {
        finding.option == "fallback" || others.iter().all(|found| concerns(found, finding))
    };
    let mut said: Vec<_> = first.iter().filter(|finding| everywhere(finding)).cloned().collect();
    said.extend(others.into_iter().flatten().filter(|finding| finding.option == "fallback"));
    said
}

/// Whether another method has a problem with the same thing. A rule for many methods may name what only some of them have.
fn concerns(found: &[Finding], finding: &Finding) -> bool {
    let subject = |finding: &Finding| finding.message.rsplit(' ').next().map(str::to_owned);
    found.iter().any(|other| other.option == finding.option && subject(other) == subject(finding))
}
