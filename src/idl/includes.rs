//! What is unwise in how the files of a schema include each other: the same one twice, and circles.

use std::collections::BTreeMap;

use super::source::{Included, Source};
use super::{Mistake, Problem};

/// A warning for each include that stands twice in its file, and for each that closes a circle.
pub(super) fn warnings(files: &[Source]) -> Vec<Problem> {
    let twice = files.iter().flat_map(twice);
    let circles = closing(files).into_iter().filter_map(|(file, place)| {
        let source = files.get(file)?;
        let name = source.document.includes.get(place)?;
        let mistake = Mistake::IncludedInCircle(name.text.clone());
        Some(Problem { file: source.path.clone(), line: name.line, mistake })
    });
    twice.chain(circles).collect()
}

fn twice(source: &Source) -> Vec<Problem> {
    let mut lines = BTreeMap::new();
    let mut found = Vec::new();
    for (include, name) in source.includes.iter().zip(&source.document.includes) {
        let Included::There(file) = include.file else { continue };
        let first = *lines.entry(file).or_insert(name.line);
        if first != name.line {
            let mistake = Mistake::IncludedTwice { path: name.text.clone(), first };
            found.push(Problem { file: source.path.clone(), line: name.line, mistake });
        }
    }
    found
}

/// Whether the walk from the root has been at a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    Ahead,
    /// It is on the way from the root to where the walk is.
    Open,
    Behind,
}

/// The includes, by their file and place there, that lead back to a file on the way from the root to them.
fn closing(files: &[Source]) -> Vec<(usize, usize)> {
    let mut walk = vec![Walk::Ahead; files.len()];
    let mut way = vec![(0, 0)];
    let mut found = Vec::new();
    while let Some((file, place)) = way.last_mut() {
        let (at, include) = (*file, files.get(*file).and_then(|source| source.includes.get(*place)));
        let Some(state) = walk.get_mut(at) else { break };
        *state = Walk::Open;
        let Some(include) = include else {
            *state = Walk::Behind;
            way.pop();
            continue;
        };
        let here = (at, *place);
        *place += 1;
        let Included::There(next) = include.file else { continue };
        match walk.get(next) {
            Some(Walk::Ahead) => way.push((next, 0)),
            Some(Walk::Open) => found.push(here),
            Some(Walk::Behind) | None => {}
        }
    }
    found
}
