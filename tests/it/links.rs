//! The links of the pages: each leads to a file that is there, and to a heading that it has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tidy::{paths, root};

/// All pages for people but those of what is generated or installed.
fn pages() -> Vec<PathBuf> {
    let of = |folder| paths(folder, "md");
    let folders = ["docs", "config", "packaging", "benches", "tests"];
    let top = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name));
    folders.into_iter().flat_map(of).chain(top).collect()
}

/// The text outside of blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let fences = line.trim_start().starts_with("```");
        is_code ^= fences;
        !is_code && !fences
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What a page's headings are called in links.
fn anchors(page: &Path) -> BTreeSet<String> {
    let prose = prose(page);
    let headings =
        prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    headings.map(slug).collect()
}

/// Where a page's links lead, those to other hosts left out.
fn links(page: &Path) -> Vec<String> {
    let prose = prose(page);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut lost = Vec::new();
    for page in pages() {
        for link in links(&page) {
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let is_there = target.exists() && anchor.is_none_or(|anchor| anchors(&target).contains(anchor));
            if !is_there {
                lost.push(format!("{}: {link}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(lost.is_empty(), "these lead nowhere:\n{}", lost.join("\n"));
}
