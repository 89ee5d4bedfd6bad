//! What is read of a listener's IDL, and what is said of it.

use std::io;
use std::path::Path;

use super::BASE;
use crate::config::{Config, Loaded, Problem};

/// A file that is right, with these options of its listener, beside these IDL files, of which the first is the listener's.
fn load(options: &str, idl: &[(&str, &str)]) -> Loaded {
    let root = idl.first().map(|(name, _)| *name).unwrap_or_default();
    let text = BASE.replace("idl = \"users.thrift\"", &format!("idl = {root:?}\n{options}"));
    let read = |path: &Path| match idl.iter().find(|(name, _)| Path::new(name) == path) {
        Some((_, content)) => Ok((*content).to_owned()),
        None if path == Path::new("larder.toml") => Ok(text.clone()),
        None => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Config::load(Path::new("larder.toml"), &read, &|_| None)
}

#[track_caller]
fn said(found: &[Problem], expected: &[&str]) {
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn what_the_idl_includes_is_looked_for_in_its_folders() {
    let main = "include 'types.thrift'\ninclude 'unused.thrift'\nservice UserService { types.Id getUser() }";
    let files = [("main.thrift", main), ("common/types.thrift", "typedef i64 Id")];
    let loaded = load("idl_paths = [\"idl\", \"common\"]", &files);
    said(&loaded.problems, &[]);
    let unused = "main.thrift:2: cannot read unused.thrift: entity not found; looked in ., idl, common";
    said(&loaded.warnings, &[unused]);
    let lost = load("idl_paths = [\"idl\"]", &files).problems;
    said(&lost, &["main.thrift:1: cannot read types.thrift: entity not found; looked in ., idl"]);
}
