//! The page of regressions, scenes and invariants against the tests that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backticks on a page.
fn named(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

#[test]
fn each_test_that_the_page_names_exists() {
    let page = read("tests/REGRESSIONS.md");
    let mut tests = 0;
    for (path, name) in named(&page).filter_map(|word| word.split_once("::")) {
        assert!(read(path).contains(&format!("fn {name}(")), "{path} has no {name}");
        tests += 1;
    }
    assert!(tests > 70, "{tests}");
}

#[test]
fn no_row_is_left_out() {
    let page = read("tests/REGRESSIONS.md");
    let first = |line: &str| Some(line.strip_prefix("| ")?.split_once(" |")?.0.to_owned());
    let rows: BTreeSet<String> = page.lines().filter_map(first).collect();
    let wanted = (1..=28).map(|row| format!("T{row}")).chain((1..=8).map(|row| format!("I{row}")));
    assert_eq!(wanted.filter(|row| !rows.contains(row)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn each_sentence_that_the_page_names_is_the_judges() {
    let (page, judge) = (read("tests/REGRESSIONS.md"), read("tests/simulation/judge.rs"));
    let invariants = page.split("## Invariants").nth(1).unwrap();
    for sentence in named(invariants).filter(|word| !word.contains('/')) {
        assert!(judge.contains(&format!("    {sentence},")), "the judge has no {sentence}");
    }
}
