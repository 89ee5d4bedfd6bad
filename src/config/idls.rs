//! The IDL of the listeners: where it is read, and what is said of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::draft::{Draft, Placed};
use super::outside::{Outside, beside};
use super::problem::{Checked, Problem};
use crate::idl::{self, Schema};
use crate::listener::options::Options as Listener;
use crate::setting::{Finding, Nearest};

/// The IDL of each listener that has one, by the listener's name.
pub(super) type Schemas = BTreeMap<String, Idl>;

/// An IDL that was read.
#[derive(Debug)]
pub(super) struct Idl {
    pub(super) schema: Schema,
    /// Of all its files.
    pub(super) digest: u128,
}

/// What was found, and what was read on the way.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) checked: Checked,
    pub(super) schemas: Schemas,
}

/// Reads the listeners' IDL.
pub(super) fn read(draft: &Draft, file: &Path, outside: &Outside<'_>) -> Read {
    let mut read = Read::default();
    for (name, listener) in &draft.listeners {
        let Some(idl) = &listener.options.idl else {
            continue;
        };
        let folders: Vec<PathBuf> =
            listener.options.idl_paths.iter().map(|folder| beside(file, folder)).collect();
        let said = |problem: &idl::Problem| idl_problem(file, listener, problem);
        match load(&beside(file, idl), &folders, outside) {
            Ok(idl) => {
                let own = |finding| listener.place.problem(file, finding);
                read.checked.problems.extend(service_fault(listener, &idl.schema).map(own));
                read.checked.warnings.extend(idl.schema.warnings().iter().map(said));
                read.schemas.insert(name.clone(), idl);
            }
            Err(problems) => read.checked.problems.extend(problems.iter().map(said)),
        }
    }
    read
}

fn load(path: &Path, folders: &[PathBuf], outside: &Outside<'_>) -> Result<Idl, Vec<idl::Problem>> {
    let mut digest = Xxh3::new();
    let schema = Schema::search(path, folders, |path| {
        let content = (outside.read_file)(path)?;
        digest.update(&content);
        Ok(content)
    })?;
    Ok(Idl { schema, digest: digest.digest128() })
}

fn service_fault(listener: &Placed<Listener>, schema: &Schema) -> Option<Finding> {
    let name = &listener.options.service;
    if schema.service(name).is_some() || !listener.place.gives("service") {
        return None;
    }
    let known = schema.services().map(|service| service.name.as_str());
    Some(
        Finding::new("service", format!("the idl declares no service {name}"))
            .suggesting(Nearest::of(name, known)),
    )
}

/// A problem in an IDL file stands where that file says; one of the way to the file stands in the listener.
fn idl_problem(file: &Path, listener: &Placed<Listener>, problem: &idl::Problem) -> Problem {
    let root = listener.options.idl.as_ref().map(|idl| beside(file, idl));
    if let idl::Mistake::Unreadable { path, .. } = &problem.mistake
        && Some(path) == root.as_ref()
    {
        return listener.place.problem(file, Finding::new("idl", problem.mistake.to_string()));
    }
    Problem {
        message: problem.mistake.to_string(),
        line: problem.line as usize,
        file: problem.file.clone(),
        path: String::new(),
        suggestion: Nearest::default(),
    }
}
