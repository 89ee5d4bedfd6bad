//! What is packaged, as far as that takes nothing but the gateway. `packaging/check` does the rest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::*;

fn packaged(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(packaged(path)).unwrap()
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("larder_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_the_board_ask_for_what_the_gateway_tells() {
    let (backend, redis, papers) = (backend(), redis(), Papers::new());
    papers.issue("gateway");
    let whole = gateway().endpoint(backend.address()).get_user("ttl = '1s'").shared(&redis).start();
    whole.finds_redis();
    whole.client().get_user(1);
    let encrypted = gateway().endpoint(backend.address()).listener(&papers.shown("gateway")).start();
    let pages = [whole, encrypted].map(|gateway| gateway.page("/metrics").unwrap().1);
    let told = metrics(&pages.concat());
    for file in ["prometheus/alerts.yml", "grafana/larder.json"] {
        let missing: Vec<_> = metrics(&text(file)).difference(&told).cloned().collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
    }
}

#[test]
fn the_configurations_that_are_packaged_can_be_used() {
    let kubernetes = text("kubernetes/larder.yaml");
    let (_, config) = kubernetes.split_once("larder.toml: |\n").unwrap();
    let lines: Vec<_> = config.lines().take_while(|line| *line != "---").map(str::trim_start).collect();
    let output = check(&lines.join("\n"));
    assert!(output.status.success(), "{output:?}");
    let output = larder().arg("check").arg(packaged("compose/larder.toml")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // The package's IDL lies elsewhere than here.
    let idl = format!("{}/idl/", env!("CARGO_MANIFEST_DIR"));
    let output = check(&text("debian/larder.toml").replace("/usr/share/larder/idl/", &idl));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_health_check_says_whether_a_gateway_answers() {
    let backend = backend();
    let mut gateway = gateway().endpoint(backend.address()).start();
    let alive = |words: &[&str]| {
        let output = larder().arg("alive").arg(gateway.admin().to_string()).args(words).output().unwrap();
        output.status.code()
    };
    assert_eq!((alive(&[]), alive(&["--ready"])), (Some(0), Some(0)));
    gateway.pause();
    assert_eq!(alive(&["--timeout", "200ms"]), Some(1));
    gateway.resume();
    let address = gateway.admin().to_string();
    gateway.kill();
    let output = larder().args(["alive", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("no gateway answers at {address}")), "{said}");
}
