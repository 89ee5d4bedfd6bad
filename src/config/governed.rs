//! The rules against the IDL of the listeners whose calls they govern.

use std::path::Path;

use super::draft::{Draft, RuleDraft, State};
use super::idls::Schemas;
use super::problem::Checked;
use super::unwise;
use crate::idl::{Method, Schema, Service};
use crate::rule::options::{Mode, Options};
use crate::rule::pattern::Methods;
use crate::rule::resolve::resolve;
use crate::setting::{Finding, Nearest};

/// Holds the rules against what the listeners' IDL declares.
pub(super) fn check(draft: &Draft, file: &Path, schemas: &Schemas) -> Checked {
    let mut checked = Checked::default();
    for rule in &draft.rules {
        let found = match served(draft, rule, schemas) {
            Served::All => all(rule),
            Served::By(services) => found(rule, draft, &services),
            Served::Perhaps => Found::default(),
            Served::Nowhere(name) if name != Nearest::default() => {
                let message = format!("no listener serves {}", rule.pattern.service().unwrap_or_default());
                Found::problem(Finding::new("", message).suggesting(name))
            }
            Served::Nowhere(_) => {
                let message = format!(
                    "no listener serves {}: the rule governs only calls that name it \
                    (Service:method)",
                    rule.pattern.service().unwrap_or_default()
                );
                let mut found = found(rule, draft, &[None]);
                found.warnings.push(Finding::new("", message));
                found
            }
        };
        let place = &rule.section.place;
        checked.problems.extend(found.problems.into_iter().map(|finding| place.problem(file, finding)));
        checked.warnings.extend(found.warnings.into_iter().map(|finding| place.problem(file, finding)));
    }
    checked
}

/// Who answers the calls of a rule.
enum Served<'a> {
    /// Every listener: the rule is for all services.
    All,
    /// Listeners: with IDL each service, else `None`.
    By(Vec<Option<(&'a Schema, &'a Service)>>),
    /// A listener whose IDL could not be read or lacks its service, which is said elsewhere.
    Perhaps,
    /// Nobody by that name, but perhaps by another.
    Nowhere(Nearest),
}

fn served<'a>(draft: &Draft, rule: &RuleDraft, schemas: &'a Schemas) -> Served<'a> {
    let Some(name) = rule.pattern.service() else { return Served::All };
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
    Served::Nowhere(Nearest::of(name, declared.chain(listened)))
}

/// What is to be said of a rule.
#[derive(Debug, Default)]
struct Found {
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Found {
    fn problem(finding: Finding) -> Self {
        Self { problems: vec![finding], warnings: Vec::new() }
    }

    /// Adds what is said of another service: the same mistake is said once.
    fn add(&mut self, other: Self) {
        let said = |known: &[Finding], finding: &Finding| {
            known.iter().any(|one| one.option == finding.option && subject(one) == subject(finding))
        };
        let new: Vec<_> =
            other.problems.into_iter().filter(|problem| !said(&self.problems, problem)).collect();
        self.problems.extend(new);
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

/// What is to be said of a rule for the services that it may govern; `None` stands for one that no IDL declares.
fn found(rule: &RuleDraft, draft: &Draft, services: &[Option<(&Schema, &Service)>]) -> Found {
    let mut found = Found::default();
    for service in services {
        found.add(match service {
            None => undeclared(rule),
            Some((schema, service)) => declared(rule, draft, schema, service),
        });
    }
    if rule.section.state == State::Refused {
        // The option that would have answered it may be the one that was refused.
        found.problems.retain(|problem| problem.option != "ttl");
        found.warnings.clear();
    }
    found
}

/// What is to be said of a rule for all methods of all services.
fn all(rule: &RuleDraft) -> Found {
    let options = &rule.section.options;
    let bare = Options { mode: options.mode, ..Options::default() };
    match options.mode {
        Mode::Observe | Mode::Off if *options == bare => Found::default(),
        Mode::Observe | Mode::Off => {
            Found::problem(Finding::new("", "a rule for all services says its mode and nothing else"))
        }
        Mode::On => {
            let message = "a rule for all services may only observe them: nobody knows which of their methods change something";
            Found::problem(Finding::new("mode", message))
        }
    }
}

/// What is to be said of a rule where no IDL says what its methods return.
fn undeclared(rule: &RuleDraft) -> Found {
    let options = &rule.section.options;
    let mut found =
        Found { problems: resolve(options, None).err().unwrap_or_default(), warnings: Vec::new() };
    if let Methods::Exact(name) = rule.pattern.methods() {
        found.warnings.extend(unwise::of_names(rule, &[name]));
    }
    if options.ttl.is_none() || !found.problems.is_empty() {
        return found;
    }
    match rule.pattern.methods() {
        Methods::Prefix(_) => found.problems.push(Finding::new(
            "ttl",
            "which methods may be kept is not known without the listener's idl, and one that returns nothing must not be: \
            give the listener its idl, or name each method in a rule of its own",
        )),
        Methods::Exact(name) if !options.cache_void => found.warnings.push(Finding::new(
            "ttl",
            format!(
                "without the listener's idl nobody knows whether {name} returns anything: if it does not, of the calls \
                that share a flight only one reaches the service"
            ),
        )),
        Methods::Exact(_) => {}
    }
    found
}

/// What is to be said of a rule for a service that the IDL declares.
fn declared(rule: &RuleDraft, draft: &Draft, schema: &Schema, service: &Service) -> Found {
    let names = || service.methods.keys().map(String::as_str);
    let matched = service.methods.values().filter(|method| rule.pattern.matches(&service.name, &method.name));
    match rule.pattern.methods() {
        Methods::Exact(name) => match service.methods.get(name) {
            Some(method) => match resolve(&rule.section.options, Some((schema, method))) {
                Ok(resolved) => {
                    Found { warnings: unwise::of_method(rule, method, &resolved), ..Found::default() }
                }
                Err(problems) => Found { problems, ..Found::default() },
            },
            None => {
                let message = format!("{} has no method {name}", service.name);
                Found::problem(Finding::new("", message).suggesting(Nearest::of(name, names())))
            }
        },
        Methods::Prefix(prefix) => {
            let matched: Vec<&Method> = matched.collect();
            if matched.is_empty() {
                let message = format!("{} has no method that begins with {prefix}", service.name);
                return Found::problem(Finding::new("", message).suggesting(Nearest::of(prefix, names())));
            }
            let own = |method: &&Method| {
                let first = draft.rules.iter().find(|one| one.pattern.matches(&service.name, &method.name));
                first.is_some_and(|first| first.pattern == rule.pattern)
            };
            many(rule, schema, &matched.into_iter().filter(own).collect::<Vec<_>>())
        }
    }
}

/// What is to be said of a rule for many methods: those of them that no other rule governs.
fn many(rule: &RuleDraft, schema: &Schema, governed: &[&Method]) -> Found {
    let options = &rule.section.options;
    let mut found = Found::default();
    if governed.is_empty() {
        let message = "every method that it is for has a more specific rule".to_owned();
        found.warnings.push(Finding::new("", message));
        return found;
    }
    if options.cache_void {
        let message = "only a rule for one method may say so of it";
        found.problems.push(Finding::new("cache_void", message));
    }
    let silent: Vec<&str> = governed
        .iter()
        .filter(|method| method.returns.is_none())
        .map(|method| method.name.as_str())
        .collect();
    if options.ttl.is_some() && !silent.is_empty() {
        let list = silent.join(", ");
        let message = format!("it does not hold for what returns nothing, which is not kept: {list}");
        found.warnings.push(Finding::new("ttl", message));
    }
    let kept = governed.iter().filter(|method| method.returns.is_some());
    found.warnings.extend(unwise::of_names(rule, &kept.map(|one| one.name.as_str()).collect::<Vec<_>>()));
    let faults = governed.iter().map(|method| {
        let faults = resolve(options, Some((schema, *method))).err().unwrap_or_default();
        // Whether a method may be kept was said above.
        faults.into_iter().filter(|fault| !matches!(fault.option, "ttl" | "cache_void")).collect::<Vec<_>>()
    });
    found.problems.extend(everywhere(&faults.collect::<Vec<_>>()));
    found
}

/// The faults that all methods of a rule have, each once. A rule for many methods may name what only some of them have; its fallback
/// must fit all of them.
fn everywhere(faults: &[Vec<Finding>]) -> Vec<Finding> {
    let of = |option: &'static str| faults.iter().flatten().filter(move |finding| finding.option == option);
    let mut fallbacks = of("fallback");
    let fallback = fallbacks.next().cloned().map(|mut first| {
        let others = fallbacks.count();
        if others > 0 {
            first.message = format!("{}; {others} other methods do not go with it either", first.message);
        }
        first
    });
    let first = faults.first().into_iter().flatten().filter(|finding| finding.option != "fallback");
    let common = first.filter(|finding| {
        faults.iter().all(|found| {
            found.iter().any(|other| other.option == finding.option && subject(other) == subject(finding))
        })
    });
    common.cloned().chain(fallback).collect()
}

/// What a finding is about: its message ends with that.
fn subject(finding: &Finding) -> Option<&str> {
    finding.message.rsplit(' ').next()
}
