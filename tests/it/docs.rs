//! The tables of the README against the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use larder::cli::nagios::Arguments;
use larder::dial::{End, Refusal};
use larder::fault::{Blame, Crowd, Fault, Retry, Translated};
use larder::outcome::Outcome;
use larder::wire::Protocol;
use larder::wire::translate::translate;
use thrift::ApplicationErrorKind;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The rows of the table below a header that begins so, cell by cell.
fn rows(header: &str) -> Vec<Vec<String>> {
    let text = readme();
    let table = text.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn faults() -> Vec<Fault> {
    let backend: Arc<str> = "users".into();
    let (why, body) = (Arc::<str>::from("why"), Bytes::new());
    let protocol = Protocol::Compact;
    let exception = |kind| Fault::Exception { backend: backend.clone(), kind, protocol, body: Bytes::new() };
    let unreachable = |refusal| Fault::Unreachable { backend: backend.clone(), refusal, why: why.clone() };
    let closed = |end| Fault::Closed { backend: backend.clone(), end };
    let why_not = translate(Protocol::Binary, protocol, &[2, 0, 1, 7, 0]).unwrap_err();
    let untranslatable = |message| {
        let (backend, why) = (backend.clone(), why_not.clone());
        Fault::Untranslatable { backend, message, protocol, why }
    };
    vec![
        unreachable(Refusal::Refused),
        unreachable(Refusal::Ours),
        Fault::Down { backend: backend.clone(), why: "every endpoint fails" },
        Fault::Busy { backend: backend.clone(), waiting: 1 },
        Fault::Shed { backend: backend.clone(), waiting: 1 },
        Fault::Timeout { backend: backend.clone(), after: Duration::ZERO },
        closed(End::Closed),
        closed(End::Lost),
        Fault::Garbage { backend: backend.clone(), why: why.clone() },
        Fault::Oversized { backend: backend.clone(), why: why.clone() },
        Fault::Failure { backend: backend.clone(), id: 2, protocol, body: body.clone() },
        exception(ApplicationErrorKind::InternalError),
        exception(ApplicationErrorKind::UnknownMethod),
        Fault::MissingResult { backend: backend.clone(), protocol, body },
        Fault::Session { backend: backend.clone(), method: "set_ugi".into() },
        Fault::Crowded(Crowd::Waiters(1)),
        Fault::Quarantined { backend: backend.clone(), left: Duration::ZERO },
        Fault::Internal,
        Fault::Stopped,
        untranslatable(Translated::Call),
        untranslatable(Translated::Reply),
    ]
}

#[test]
fn the_fault_table_is_what_the_code_does() {
    let said = rows("| fault |").into_iter().map(|cells| {
        let name = cells[0].split('`').nth(1).unwrap().to_owned();
        (name, cells[1..].to_vec())
    });
    let done = faults().into_iter().map(|fault| {
        let yes = |is| if is { "yes" } else { "no" };
        let retry = match fault.retry() {
            Retry::Unsent => "always",
            Retry::Idempotent => "if idempotent",
            Retry::Never => "no",
        };
        let blames = match fault.blames() {
            Blame::Endpoint => "endpoint",
            Blame::Method => "method there",
            Blame::Nobody => "nobody",
        };
        let cells = [yes(fault.allows_stale()), blames, retry];
        (fault.as_str().to_owned(), cells.map(str::to_owned).to_vec())
    });
    assert_eq!(said.collect::<Vec<_>>(), done.collect::<Vec<_>>());
}

#[test]
fn the_outcome_table_names_every_outcome() {
    let cells: String = rows("| outcome in").into_iter().map(|mut cells| cells.remove(0)).collect();
    let said: Vec<&str> = cells.split('`').skip(1).step_by(2).collect();
    assert_eq!(said, Outcome::ALL.map(Outcome::as_str));
}

#[test]
fn the_table_of_the_check_names_every_range_and_its_default() {
    let command = Arguments::augment_args(clap::Command::new("nagios"));
    let default = |option: &str| {
        let name = option.replace('-', "_");
        let found = command.get_arguments().find(|argument| argument.get_id() == name.as_str());
        let defaults = found.unwrap_or_else(|| panic!("no option {option}")).get_default_values();
        defaults.first().map_or_else(|| "-".to_owned(), |value| format!("`{}`", value.display()))
    };
    let mut told = 0;
    for cells in rows("| figure |") {
        let option = cells[1].trim_matches('`').trim_start_matches("--").trim_end_matches("...");
        let levels = ["warning", "critical"].map(|level| default(&format!("{option}{level}")));
        assert_eq!(levels, [cells[2].clone(), cells[3].clone()], "{option}");
        told += 2;
    }
    let ranges = |id: &clap::Id| id.as_str().ends_with("_warning") || id.as_str().ends_with("_critical");
    assert_eq!(told, command.get_arguments().filter(|argument| ranges(argument.get_id())).count());
}

/// The names that metrics are registered by, as they stand in the source.
fn registered() -> BTreeSet<String> {
    let sources = super::tidy::sources("src").into_iter().filter(|source| !source.path.contains("tests"));
    let literals = sources.flat_map(|source| {
        let code = source.text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        let pieces = code.split('"').map(str::to_owned).collect::<Vec<_>>();
        pieces.into_iter().filter(|piece| piece.starts_with("larder_"))
    });
    let is_name = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    // The check's own data, which no scrape has.
    literals.filter(is_name).filter(|name| name != "larder_check").collect()
}

#[test]
fn the_page_of_metrics_names_every_metric_and_no_other() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `larder_"));
    let told = rows.map(|row| {
        let name = row.split('`').next().unwrap();
        format!("larder_{}", name.strip_suffix("_total").unwrap_or(name))
    });
    assert_eq!(told.collect::<BTreeSet<_>>(), registered());
}
