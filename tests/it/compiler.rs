//! Larder beside Apache's compiler: which files of a folder of IDL each of them accepts.
//!
//! An option, for whoever has such a folder and the compiler (Debian's `thrift-compiler`):
//! `LARDER_IDL_CORPUS=FOLDER cargo test --test it compiler -- --nocapture`.

#![allow(clippy::print_stdout, reason = "it says what it found")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use larder::idl::Schema;

#[test]
fn what_apaches_compiler_accepts_is_accepted() {
    let Some(corpus) = std::env::var_os("LARDER_IDL_CORPUS").map(PathBuf::from) else { return };
    let mut files = Vec::new();
    idl_in(&corpus, &mut files);
    assert!(!files.is_empty(), "{} has no .thrift files", corpus.display());
    let scratch = tempfile::tempdir().unwrap();
    let (mut apache, mut ours, mut refused) = (0, 0, Vec::new());
    for file in &files {
        let folders: Vec<PathBuf> =
            file.ancestors().skip(1).take_while(|at| at.starts_with(&corpus)).map(PathBuf::from).collect();
        let accepted = compiles(file, &folders, scratch.path());
        let read = Schema::search(file, &folders, |path| std::fs::read(path));
        apache += usize::from(accepted);
        ours += usize::from(read.is_ok());
        if let (true, Err(problems)) = (accepted, read) {
            refused.push(format!("{} ({} problems in all)", problems[0], problems.len()));
        }
    }
    println!("{} files: Apache's compiler accepts {apache}, Larder {ours}", files.len());
    assert!(refused.is_empty(), "accepted by the compiler alone:\n{}", refused.join("\n"));
}

fn idl_in(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            idl_in(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "thrift") {
            files.push(path);
        }
    }
}

/// Whether the compiler accepts a file. With files that include each other in circles it does not end.
fn compiles(file: &Path, folders: &[PathBuf], scratch: &Path) -> bool {
    let mut compiler = Command::new("timeout");
    compiler.args(["10", "thrift", "--gen", "json", "-out"]).arg(scratch);
    for folder in folders {
        compiler.arg("-I").arg(folder);
    }
    let status = compiler.arg(file).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    status.success()
}
