//! What a shell, a manual and an editor are told of the program and its configuration.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::*;

/// The commands that `larder --help` lists.
fn commands() -> Vec<String> {
    let output = larder().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    listed.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn shells_are_told_of_each_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = larder().args(["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}");
        let script = String::from_utf8(output.stdout).unwrap();
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
        fs::write(folder.path().join(shell), script).unwrap();
    }
    let read = Command::new("bash").arg("-n").arg(folder.path().join("bash")).output().unwrap();
    assert!(read.status.success(), "{read:?}");
}

#[test]
fn there_is_a_manual_page_of_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let written = larder().arg("man").arg(&pages).output().unwrap();
    assert!(written.status.success(), "{written:?}");
    for command in commands().iter().filter(|command| *command != "help") {
        let page = fs::read_to_string(pages.join(format!("larder-{command}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
    assert!(!pages.join("larder-demo-backend.1").exists());
    let first = String::from_utf8(larder().arg("man").output().unwrap().stdout).unwrap();
    assert_eq!(first, fs::read_to_string(pages.join("larder.1")).unwrap());
}

#[test]
fn an_editor_finds_the_schema_of_each_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["config/larder.toml", "config/examples/metastore.toml", "packaging/compose/larder.toml"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let named = text.lines().find_map(|line| line.strip_prefix("#:schema ")).expect(file);
        let schema = root.join(file).parent().unwrap().join(named);
        let schema: serde_json::Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
        assert!(schema.get("$schema").is_some() && schema.get("properties").is_some(), "{file}");
    }
}

#[test]
fn whoever_stops_reading_ends_no_command_badly() {
    for words in [&["completions", "bash"][..], &["man"], &["decode", "--help"]] {
        let mut child = larder().args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{words:?}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = larder().args(["completions", "bash"]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("cannot write"), "{said}");
}
