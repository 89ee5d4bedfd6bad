//! The one list of what the endpoint can be asked: its router and its description are made from it.

use axum::Json;
use serde_json::Value;

use super::Subject;
use super::answers::Answers;
use super::command::{Reason, Reloaded};
use super::configuration::{Configuration, Rollback};
use super::operation::Operation;
use super::outage::Outage;
use super::status::Status;
use super::traffic::Traffic;
use super::{changes, openapi, page, pages, switches, tapping};
use crate::advice::report::{Advice, Question};
use crate::explain::report::Explanation;
use crate::inventory::stock::{Asked, Stock};
use crate::purge::Purged;
use crate::purge::order::{Called, Written};
use crate::switch::order::Order;
use crate::switch::table::InForce;
use crate::tap::line::Line;
use crate::tap::wanted::Wanted;

/// All operations. Probes and Prometheus look where they look everywhere, people at the root; all else has the API's version before it.
pub(super) fn all<S: Subject>() -> Vec<Operation<S>> {
    [plain(), questions(), orders()].into_iter().flatten().collect()
}

/// What probes, Prometheus and browsers look at.
fn plain<S: Subject>() -> Vec<Operation<S>> {
    vec![
        Operation::get("/metrics", pages::metrics)
            .named("metrics", "The figures that Prometheus reads.")
            .answers_text(pages::OPENMETRICS),
        Operation::get("/livez", pages::lives).named("livez", "Whether the process answers."),
        Operation::get("/readyz", pages::ready).named("readyz", "Whether new connections are welcome."),
        Operation::get("/", page::page).named("page", "The page for people.").answers_text(page::HTML),
        Operation::get("/page/live", page::live)
            .named("live", "The parts of the page as they change, one event each.")
            .answers_text(page::EVENTS),
        Operation::get("/page.css", page::style)
            .named("style", "How the page looks.")
            .answers_text(page::CSS),
        Operation::get("/page.js", page::script)
            .named("script", "What the page does.")
            .answers_text(page::JS),
        Operation::get("/page.svg", page::icon).named("icon", "The page's sign.").answers_text(page::SVG),
    ]
}

/// What tells, and changes nothing.
fn questions<S: Subject>() -> Vec<Operation<S>> {
    vec![
        Operation::get("/v1/openapi.json", description::<S>)
            .named("openapi", "This description.")
            .answers::<Value>(),
        Operation::get("/v1/status", pages::status)
            .named("status", "The state of the gateway.")
            .answers::<Status>(),
        Operation::get("/v1/config", pages::configuration)
            .named("config", "The configuration in force, as TOML, without secrets.")
            .answers::<Configuration>(),
        Operation::get("/v1/config/history", pages::configurations)
            .named(
                "configHistory",
                "The configuration in force and those before it that are remembered, the latest first.",
            )
            .answers::<Vec<Configuration>>(),
        Operation::get("/v1/traffic", pages::traffic)
            .named("traffic", "The calls of each method since the start: what became of them, and how long they took.")
            .answers::<Traffic>(),
        Operation::get("/v1/outages", pages::outages)
            .named("outages", "The outages of the backends: those that last, and then the latest first.")
            .answers::<Vec<Outage>>(),
        Operation::get("/v1/entries", pages::entries)
            .named("entries", "What the local tier holds, by method, as it was counted in the last ten seconds.")
            .asks::<Asked>()
            .answers::<Stock>(),
        Operation::get("/v1/tap", tapping::tap)
            .named("tap", "Calls as they are answered, one event each, until the time is up. Few may watch at one time.")
            .asks::<Wanted>()
            .answers_events::<Line>(),
        Operation::get("/v1/answers", pages::answers)
            .named("answers", "What answered the calls of the last hour, by listener and method.")
            .answers::<Answers>(),
        Operation::ask("/v1/explain", pages::explain)
            .named(
                "explain",
                "What is known of a call, and what would answer it. Nothing is asked of a backend.",
            )
            .takes::<Called>()
            .answers::<Explanation>(),
        Operation::ask("/v1/advise", pages::advise)
            .named(
                "advise",
                "Which rules methods should have that a rule observes, by what was learnt of their calls.",
            )
            .takes::<Question>()
            .answers::<Advice>(),
        Operation::get("/v1/switches", switches::list)
            .named("switches", "What an operator has done otherwise than configured, for a while.")
            .answers::<Vec<InForce>>(),
    ]
}

/// What is told to do.
fn orders<S: Subject>() -> Vec<Operation<S>> {
    vec![
        Operation::post("/v1/config/rollback", changes::roll_back)
            .named("rollback", "Puts an earlier configuration in force again, whatever the file says.")
            .takes::<Rollback>()
            .answers::<Reloaded>(),
        Operation::post("/v1/purge", changes::purge)
            .named("purge", "Declares wrong what is kept of a call, a tag, a method, a service or all.")
            .takes::<Written>()
            .answers::<Purged>(),
        Operation::post("/v1/switches", switches::set)
            .named("setSwitch", "Sets a switch, in place of one of the same kind and subject.")
            .takes::<Order>()
            .answers::<InForce>(),
        Operation::delete("/v1/switches/{id}", switches::undo)
            .named("undoSwitch", "Takes a switch back, as if it had not been set.")
            .takes::<Reason>()
            .answers::<InForce>(),
        Operation::post("/v1/reload", changes::reload)
            .named("reload", "Reads the configuration again, and puts in force what needs no restart.")
            .takes::<Reason>()
            .answers::<Reloaded>(),
    ]
}

async fn description<S: Subject>() -> Json<Value> {
    Json(openapi::document(&all::<S>()))
}
