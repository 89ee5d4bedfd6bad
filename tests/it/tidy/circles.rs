//! Which of a module's children use each other, and that none of them do so in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, none, outermost, sources};

/// Uses that are part of a circle, as `module: child uses child`, each with why it may stay. This list only shrinks.
const ALLOWED: [(&str, &str); 0] = [];

/// Whose children use whose, by the module they are children of: `backend/pool` is a child of `backend`.
type Uses = BTreeMap<String, BTreeSet<(String, String)>>;

/// A module's path below `src`, such as `backend/pool`.
fn path(source: &Source) -> &str {
    source.path.strip_prefix("src/").unwrap().trim_end_matches(".rs")
}

/// The children that each module has.
fn children(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut children: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (parent, child) in sources.iter().filter_map(|source| path(source).rsplit_once('/')) {
        children.entry(parent).or_default().insert(child);
    }
    children
}

/// The names that a module takes out of its children, each with the child.
fn renamed(parent: &Source, children: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in code(parent).split(';') {
        let Some((_, used)) = statement.rsplit_once("use ") else { continue };
        let used = used.trim();
        let (child, rest) = used.split_once("::").unwrap_or((used, ""));
        if children.contains(child) {
            for name in items(rest) {
                names.insert(name, child.to_owned());
            }
        }
    }
    names
}

/// The first name of each item after a path: `a` and `b` of `{a::c, b}`.
fn items(text: &str) -> Vec<String> {
    let word =
        |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    match text.strip_prefix('{') {
        Some(group) => {
            let mut depth = 1;
            let end = group.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            outermost(&group[..end.unwrap_or(group.len())]).iter().map(|item| word(item)).collect()
        }
        None => vec![word(text)],
    }
}

fn code(source: &Source) -> String {
    let lines = source.product().map(|(_, line)| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// The uses among the children of every module.
fn uses(sources: &[Source]) -> Uses {
    let children = children(sources);
    let mut uses = Uses::new();
    for (parent, children) in &children {
        let known = sources.iter().find(|source| path(source) == *parent);
        let renamed = known.map(|known| renamed(known, children)).unwrap_or_default();
        let inside = format!("{parent}/");
        for source in sources.iter().filter(|source| path(source).starts_with(&inside)) {
            let below = &path(source)[inside.len()..];
            let own = below.split('/').next().unwrap();
            let code = code(source);
            let up = "super::".repeat(below.split('/').count());
            let from_root = format!("crate::{}::", parent.replace('/', "::"));
            let names = [up.as_str(), from_root.as_str()].into_iter().flat_map(|way| behind(&code, way));
            let used = names.map(|name| renamed.get(&name).cloned().unwrap_or(name));
            let used = used.filter(|child| child != own && children.contains(child.as_str()));
            let edges = uses.entry((*parent).to_owned()).or_default();
            edges.extend(used.map(|child| (own.to_owned(), child)));
        }
    }
    uses
}

/// The names that stand behind a way; a longer way up begins further up.
fn behind(code: &str, way: &str) -> Vec<String> {
    let places = code.match_indices(way).filter(|(at, _)| !code[..*at].ends_with("super::"));
    places.flat_map(|(at, _)| items(&code[at + way.len()..])).collect()
}

/// Whether `to` is used by `from`, directly or through others.
fn reaches(edges: &BTreeSet<(String, String)>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for (_, next) in edges.iter().filter(|(user, _)| user == at) {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

#[test]
fn no_module_is_a_circle_inside() {
    let sources: Vec<Source> = sources("src").into_iter().filter(|source| !source.is_test()).collect();
    let uses = uses(&sources);
    assert!(uses.len() > 5, "{uses:#?}");
    let mut circles = BTreeSet::new();
    for (parent, edges) in &uses {
        let circular = edges.iter().filter(|(user, used)| reaches(edges, used, user));
        circles.extend(circular.map(|(user, used)| format!("{parent}: {user} uses {used}")));
    }
    let allowed: BTreeSet<String> = ALLOWED.iter().map(|(circle, _)| (*circle).to_owned()).collect();
    none("in a circle", &circles.difference(&allowed).cloned().collect::<Vec<_>>());
    none("allowed and no circle", &allowed.difference(&circles).cloned().collect::<Vec<_>>());
}

#[test]
fn a_circle_is_found() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [
        source("src/a.rs", "mod b;\nmod c;\nmod d;\npub use c::{One, Two};\n"),
        source("src/a/b.rs", "use super::{\n    Two,\n    d,\n};\n"),
        source("src/a/c.rs", "use crate::a::b::Three;\n"),
        source("src/a/d.rs", "use crate::other::b;\n"),
    ];
    let edges = &uses(&sources)["a"];
    let pair = |user: &str, used: &str| (user.to_owned(), used.to_owned());
    assert_eq!(*edges, BTreeSet::from([pair("b", "c"), pair("b", "d"), pair("c", "b")]));
    assert!(reaches(edges, "b", "b") && reaches(edges, "c", "c") && !reaches(edges, "d", "d"));
}
