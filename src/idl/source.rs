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
    /// In the order in which they are written.
    pub(super) includes: Vec<Include>,
    /// Whether all of it was understood; a name missing from a broken file is no further problem.
    pub(super) wholeness: Wholeness,
}

/// What one line of a file includes.
#[derive(Debug)]
pub(super) struct Include {
    /// What names from it start with.
    pub(super) prefix: String,
    /// The line.
    pub(super) line: u32,
    /// The number of the file.
    pub(super) file: Included,
}

#[derive(Debug)]
pub(super) enum Included {
    /// It was read.
    There(usize),
    /// It was found nowhere: a mistake as soon as something of it is used.
    Missing(Mistake),
    /// It cannot be part of the schema, which is reported already.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wholeness {
    Whole,
    Broken,
}

/// The files that were read, the root being the first, and what is wrong in them.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) files: Vec<Source>,
    pub(super) problems: Vec<Problem>,
}

/// Reads the root file and all that is included from it. An include is looked for beside the file that names it, then in `folders`,
/// then beside the root file. Files may include each other in circles.
pub(super) fn read<R>(root: &Path, folders: &[PathBuf], read: R) -> Sources
where
    R: FnMut(&Path) -> io::Result<Vec<u8>>,
{
    let beside_root = root.parent().map(Path::to_owned).unwrap_or_default();
    let folders = folders.iter().cloned().chain([beside_root]).collect();
    let sources = Sources { files: Vec::new(), problems: Vec::new() };
    let mut shelf = Shelf { read, folders, sources, known: BTreeMap::new() };
    if let Err(mistake) = shelf.open(root) {
        shelf.problem(root.to_owned(), 1, mistake);
    }
    let mut next = 0;
    while let Some(source) = shelf.sources.files.get(next) {
        let (path, names) = (source.path.clone(), source.document.includes.clone());
        let includes = names.iter().map(|name| shelf.include(&path, name)).collect();
        if let Some(source) = shelf.sources.files.get_mut(next) {
            source.includes = includes;
        }
        next += 1;
    }
    shelf.sources
}

struct Shelf<R> {
    read: R,
    /// Where an include is looked for that is not beside the file which names it.
    folders: Vec<PathBuf>,
    sources: Sources,
    known: BTreeMap<PathBuf, usize>,
}

impl<R: FnMut(&Path) -> io::Result<Vec<u8>>> Shelf<R> {
    fn include(&mut self, from: &Path, name: &Name) -> Include {
        let file = self.find(from, name).unwrap_or_else(|mistake| {
            self.problem(from.to_owned(), name.line, mistake);
            Included::Refused
        });
        Include { prefix: prefix(&name.text), line: name.line, file }
    }

    /// The file that is meant where `from` includes one.
    fn find(&mut self, from: &Path, name: &Name) -> Result<Included, Mistake> {
        let beside = from.parent().map(Path::to_owned).unwrap_or_default();
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut why: Option<String> = None;
        for folder in [beside].into_iter().chain(self.folders.clone()).map(|folder| tidy(&folder)) {
            if folders.contains(&folder) {
                continue;
            }
            match self.open(&folder.join(&name.text)) {
                Ok(number) => return Ok(Included::There(number)),
                Err(Mistake::Unreadable { reason, .. }) => drop(why.get_or_insert(reason)),
                Err(other) => return Err(other),
            }
            folders.push(folder);
        }
        let shown = |folder: &PathBuf| match folder.as_os_str().is_empty() {
            true => ".".to_owned(),
            false => folder.display().to_string(),
        };
        let (path, folders) = (name.text.clone(), folders.iter().map(shown).collect());
        Ok(Included::Missing(Mistake::NotIncluded { path, reason: why.unwrap_or_default(), folders }))
    }

    /// The number of the file at a path, which is read unless it was before.
    fn open(&mut self, path: &Path) -> Result<usize, Mistake> {
        let path = tidy(path);
        if let Some(number) = self.known.get(&path) {
            return Ok(*number);
        }
        if self.sources.files.len() >= FILES {
            return Err(Mistake::TooManyFiles);
        }
        let content = (self.read)(&path)
            .map_err(|error| Mistake::Unreadable { path: path.clone(), reason: error.to_string() })?;
        if content.len() > FILE_BYTES {
            return Err(Mistake::FileTooLong { length: content.len() });
        }
        // Comments and texts may be in any encoding; where a name is not, the lexer says so.
        let (document, slips) = parser::parse(&String::from_utf8_lossy(&content));
        let wholeness = if slips.is_empty() { Wholeness::Whole } else { Wholeness::Broken };
        for Slip { line, mistake } in slips {
            self.problem(path.clone(), line, mistake);
        }
        let number = self.sources.files.len();
        self.known.insert(path.clone(), number);
        self.sources.files.push(Source { path, document, includes: Vec::new(), wholeness });
        Ok(number)
    }

    fn problem(&mut self, file: PathBuf, line: u32, mistake: Mistake) {
        let problems = &mut self.sources.problems;
        if problems.len() < PROBLEMS {
            problems.push(Problem { file, line, mistake });
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
