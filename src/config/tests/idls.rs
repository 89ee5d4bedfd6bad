//! What is read of a listener's IDL, and what is said of it.

use std::io;
use std::path::Path;

use super::BASE;
use crate::config::{Config, Loaded, Problem};

/// A file that is right and what is added to it, beside these IDL files, of which the first is the listener's.
pub(super) fn load(added: &str, idl: &[(&str, &str)]) -> Loaded {
    let root = idl.first().map(|(name, _)| *name).unwrap_or_default();
    read(&format!("{}{added}", BASE.replace("users.thrift", root)), idl)
}

fn read(text: &str, idl: &[(&str, &str)]) -> Loaded {
    let read = |path: &Path| match idl.iter().find(|(name, _)| Path::new(name) == path) {
        Some((_, content)) => Ok((*content).to_owned()),
        None if path == Path::new("larder.toml") => Ok(text.to_owned()),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Config::load(Path::new("larder.toml"), &read, &|_| None)
}

#[track_caller]
pub(super) fn said(found: &[Problem], expected: &[&str]) {
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn what_the_idl_includes_is_looked_for_in_its_folders() {
    let main = "include 'types.thrift'\ninclude 'unused.thrift'\nservice UserService { types.Id getUser() }";
    let files = [("main.thrift", main), ("common/types.thrift", "typedef i64 Id")];
    let base = |paths: &str| {
        BASE.replace("idl = \"users.thrift\"", &format!("idl = 'main.thrift'\nidl_paths = {paths}"))
    };
    let loaded = read(&base("['idl', 'common']"), &files);
    said(&loaded.problems, &[]);
    let unused = "main.thrift:2: cannot read unused.thrift: entity not found; looked in ., idl, common";
    said(&loaded.warnings, &[unused]);
    let lost = read(&base("['idl']"), &files).problems;
    said(&lost, &["main.thrift:1: cannot read types.thrift: entity not found; looked in ., idl"]);
}
