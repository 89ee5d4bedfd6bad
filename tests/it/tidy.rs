//! The rules of the house, held against every source file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder::config::Config;

use crate::harness::Papers;

mod circles;

const LINES_MAX: usize = 400;
const FUNCTION_MAX: usize = 70;
/// Made by the Thrift compiler.
const GENERATED: &str = "src/demo/generated/users.rs";

pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Its lines with their numbers, up to its tests.
    fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        let product = lines.take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
        product.map(|(at, line)| (at + 1, line))
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// The module directly below the crate that it belongs to.
    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap();
        inner.split('/').next().unwrap().trim_end_matches(".rs")
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn paths(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with(".venv") {
                folders.push(path);
            } else if path.extension().is_some_and(|is| is == extension) {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

pub(super) fn sources(folder: &str) -> Vec<Source> {
    let all: Vec<Source> = paths(folder, "rs")
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(root()).unwrap().display().to_string(),
        })
        .filter(|source| source.path != GENERATED)
        .collect();
    assert!(!all.is_empty());
    all
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Each module's row in ARCHITECTURE.md, where `| layer | modules |` stands.
fn layers() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| layer | modules")).skip(2);
    let mut layers = BTreeMap::new();
    for (row, line) in rows.take_while(|line| line.starts_with('|')).enumerate() {
        for module in line.split('|').nth(2).unwrap().split(',') {
            layers.insert(module.trim().trim_matches('`').to_owned(), row);
        }
    }
    layers
}

/// The top-level modules that a file names, each with its line: `crate::a`, or each of `crate::{a, b::c}`.
fn named(source: &Source) -> Vec<(usize, String)> {
    let code: Vec<&str> = source
        .product()
        .map(|(_, line)| if line.trim_start().starts_with("//") { "" } else { line })
        .collect();
    let code = code.join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut all = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].lines().count();
        let after = &code[at + "crate::".len()..];
        let group = after.strip_prefix('{').and_then(|group| group.split("};").next());
        match group {
            Some(group) => {
                let parts = outermost(group);
                all.extend(parts.iter().map(|part| (line, word(part.trim()))));
            }
            None => all.push((line, word(after))),
        }
    }
    all.retain(|(_, name)| name.starts_with(|c: char| c.is_lowercase()));
    all
}

/// The parts of a group of imports, the groups inside it left whole.
fn outermost(group: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
    }
    parts
}

#[test]
fn imports_run_one_way() {
    let layers = layers();
    let mut wrong = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        let own = source.module();
        // The roots name everything.
        if matches!(own, "lib" | "main") {
            continue;
        }
        let Some(row) = layers.get(own) else {
            wrong.push(format!("{}: ARCHITECTURE.md gives {own} no layer", source.path));
            continue;
        };
        for (at, used) in named(source).into_iter().filter(|(_, used)| used != own) {
            if layers.get(&used).is_none_or(|used| used >= row) {
                wrong.push(format!("{}:{at}: {own} uses {used}", source.path));
            }
        }
    }
    none("against the layers of ARCHITECTURE.md", &wrong);
}

#[test]
fn every_file_says_what_it_is() {
    let sources = sources("src").into_iter().chain(sources("tests"));
    let bare = sources.filter(|source| !source.text.starts_with("//! "));
    none("no header", &bare.map(|source| source.path).collect::<Vec<_>>());
}

#[test]
fn no_file_is_too_long() {
    let sources = sources("src").into_iter().chain(sources("tests"));
    let lengths = sources.map(|source| (source.text.lines().count(), source.path));
    let long: Vec<_> = lengths
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    none("too long", &long);
}

#[test]
fn no_function_is_too_long() {
    let mut long = Vec::new();
    for source in sources("src") {
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (at, line) in source.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start().split('(').next().unwrap_or_default();
            if words.split(' ').any(|word| word == "fn") && !words.starts_with("//") {
                open.push((indent, at));
            } else if line.trim() == "}" && open.last().is_some_and(|(begun, _)| *begun == indent) {
                let (_, begun) = open.pop().unwrap();
                if at - begun >= FUNCTION_MAX {
                    long.push(format!("{}:{}: {} lines", source.path, begun + 1, at - begun + 1));
                }
            } else {
                // A function without a body, or on one line, has been passed.
                while open.last().is_some_and(|(begun, _)| indent < *begun && !line.trim().is_empty()) {
                    open.pop();
                }
            }
        }
    }
    none("too long", &long);
}

fn comment(line: &str) -> Option<&str> {
    let at = line.find("// ").or_else(|| line.find("/// ")).or_else(|| line.find("//! "))?;
    Some(&line[at..])
}

/// `#123`, or a day such as 2020-02-20.
fn is_dated_or_numbered(text: &str) -> bool {
    let numbered = text.match_indices('#').any(|(at, _)| {
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        digits >= 2
    });
    let day = |part: &[u8]| {
        part.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    numbered || text.as_bytes().windows(10).any(day)
}

#[test]
fn comments_speak_of_the_code_alone() {
    let undone = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mut wrong = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for (at, line) in source.text.lines().enumerate() {
            let numbered = comment(line).is_some_and(is_dated_or_numbered);
            if undone.iter().any(|word| line.contains(word)) || numbered && !source.path.ends_with("tidy.rs")
            {
                wrong.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
            }
        }
    }
    none("undone, dated or numbered", &wrong);
}

#[track_caller]
fn only_in(what: &[&str], module: &str) {
    let mut wrong = Vec::new();
    // The demo brings its own clients and backends, which are not the gateway.
    let held = |source: &&Source| ![module, "demo"].contains(&source.module()) && !source.is_test();
    for source in sources("src").iter().filter(held) {
        for (at, line) in source.product().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if what.iter().any(|what| line.contains(what)) {
                wrong.push(format!("{}:{at}: {}", source.path, line.trim()));
            }
        }
    }
    none(&format!("outside {module}"), &wrong);
}

#[test]
fn only_the_clock_knows_the_time_of_day() {
    only_in(&["SystemTime"], "clock");
}

#[test]
fn only_dial_connects() {
    only_in(&["TcpStream::connect", "TcpSocket::new", "UnixStream::connect"], "dial");
}

#[test]
fn every_task_belongs_to_who_awaits_its_end() {
    only_in(&["tokio::spawn(", "task::spawn("], "demo");
}

#[test]
fn every_configuration_loads() {
    let papers = Papers::new();
    papers.issue("gateway");
    // What an example shows of certificates, nobody has.
    let read = |path: &Path| match path.file_name().and_then(|name| name.to_str()) {
        Some("authority.pem") => fs::read(papers.path("ca.pem")),
        Some(name @ ("gateway.pem" | "gateway.key")) => fs::read(papers.path(name)),
        Some(_) | None => fs::read(path),
    };
    for path in paths("config", "toml") {
        let loaded = Config::load(&path, &read, &|_| None);
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        none("problems", &problems);
    }
}

#[test]
fn every_option_is_used_by_a_test_or_a_configuration() {
    let page = fs::read_to_string(root().join("config/REFERENCE.md")).unwrap();
    let options: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(options.len() > 40, "{} options", options.len());
    let configs = paths("config", "toml");
    let mut text: String = configs.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.extend(sources("tests").into_iter().map(|source| source.text));
    let words: std::collections::BTreeSet<&str> =
        text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let unused = options.iter().filter(|option| !words.contains(*option));
    none("options that nothing names", &unused.map(ToString::to_string).collect::<Vec<_>>());
}

#[test]
fn every_planted_mistake_still_applies() {
    let checked = Command::new("python3").arg(root().join("tests/plants")).arg("--check").output().unwrap();
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}
