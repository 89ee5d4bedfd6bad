//! The files of a schema: the root and everything it includes, each read and parsed once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::lexer::Slip;
use super::syntax::{Document, Name};
use super::{FILE_BYTES, FILES, Mistake, PROBLEMS, Problem, parser};

/// One parsed file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) document: Document,
    /// Prefixes and the files they stand for; no file if it could not be read, which is reported already.
    pub(super) includes: Vec<(String, Option<usize>)>,
    /// Whether all of it was understood; a name missing from a broken file is no further problem.
    pub(super) wholeness: Wholeness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wholeness {
    Whole,
    Broken,
}

/// Reads the root file and all that is included from it. An include is looked for beside the file that names it, then beside
/// the root file. Files may include each other in circles.
pub(super) fn read<R>(root: &Path, read: R) -> (Vec<Source>, Vec<Problem>)
where
    R: FnMut(&Path) -> io::Result<String>,
{
    let folder = root.parent().map(Path::to_owned).unwrap_or_default();
    let mut shelf = Shelf { read, folder, sources: Vec::new(), known: BTreeMap::new(), problems: Vec::new() };
    if let Err(mistake) = shelf.open(root) {
        shelf.problem(root.to_owned(), 1, mistake);
    }
    let mut next = 0;
    while let Some(source) = shelf.sources.get(next) {
        let (path, names) = (source.path.clone(), source.document.includes.clone());
        let includes = names.iter().map(|name| (prefix(&name.text), shelf.include(&path, name))).collect();
        if let Some(source) = shelf.sources.get_mut(next) {
            source.includes = includes;
        }
        next += 1;
    }
    (shelf.sources, shelf.problems)
}

struct Shelf<R> {
    read: R,
    folder: PathBuf,
    sources: Vec<Source>,
    known: BTreeMap<PathBuf, usize>,
    problems: Vec<Problem>,
}

impl<R: FnMut(&Path) -> io::Result<String>> Shelf<R> {
    /// The number of an included file.
    fn include(&mut self, from: &Path, name: &Name) -> Option<usize> {
        let beside = from.with_file_name(&name.text);
        let beside_root = self.folder.join(&name.text);
        let first = match self.open(&beside) {
            Ok(number) => return Some(number),
            Err(mistake) => mistake,
        };
        if tidy(&beside) != tidy(&beside_root)
            && let Ok(number) = self.open(&beside_root)
        {
            return Some(number);
        }
        self.problem(from.to_owned(), name.line, first);
        None
    }

    /// The number of the file at a path, which is read unless it was before.
    fn open(&mut self, path: &Path) -> Result<usize, Mistake> {
        let path = tidy(path);
        if let Some(number) = self.known.get(&path) {
            return Ok(*number);
        }
        if self.sources.len() >= FILES {
            return Err(Mistake::TooManyFiles);
        }
        let text = (self.read)(&path)
            .map_err(|error| Mistake::Unreadable { path: path.clone(), reason: error.to_string() })?;
        if text.len() > FILE_BYTES {
            return Err(Mistake::FileTooLong { length: text.len() });
        }
        let (document, slips) = parser::parse(&text);
        let wholeness = if slips.is_empty() { Wholeness::Whole } else { Wholeness::Broken };
        for Slip { line, mistake } in slips {
            self.problem(path.clone(), line, mistake);
        }
        let number = self.sources.len();
        self.known.insert(path.clone(), number);
        self.sources.push(Source { path, document, includes: Vec::new(), wholeness });
        Ok(number)
    }

    fn problem(&mut self, file: PathBuf, line: u32, mistake: Mistake) {
        if self.problems.len() < PROBLEMS {
            self.problems.push(Problem { file, line, mistake });
        }
    }
}

/// What names from an included file start with: its own name without the ending.
fn prefix(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".thrift").unwrap_or(name).to_owned()
}

/// The path without `.` and, as far as names go, `..`, so that one file has one path.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                tidy.push(part);
            }
        }
    }
    tidy
}
