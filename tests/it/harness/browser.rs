//! A real browser without a window, as a process.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, Command};

use serde_json::{Value as Json, json};

use super::process::Process;
use super::python::python;
use super::{eventually, found};

/// A browser with one page open.
#[derive(Debug)]
pub(crate) struct Browser {
    process: Process,
    /// Its end is the end of the browser, which no signal to the process would be.
    input: Option<ChildStdin>,
    read: usize,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let mut process =
            Process::start(python("browser.py").args([binary("chromium"), binary("chromedriver")]));
        process.says(|line| (line == "ready").then_some(()));
        let input = Some(process.input());
        Self { process, input, read: 1 }
    }

    /// Opens the page of a gateway, so many pixels wide, `light` or `dark`.
    #[track_caller]
    pub(crate) fn open(&mut self, admin: SocketAddr, width: u32, scheme: &str) {
        self.does(json!(["open", format!("http://{admin}/"), width, scheme]));
    }

    /// The text of what is found by `css`; nothing where there is none.
    #[track_caller]
    pub(crate) fn text(&mut self, css: &str) -> String {
        let said = self.asks(json!(["text", css]));
        said["ok"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text of what is found by `css` contains `words`.
    #[track_caller]
    pub(crate) fn shows(&mut self, css: &str, words: &str) {
        eventually(|| self.text(css).contains(words));
    }

    #[track_caller]
    pub(crate) fn click(&mut self, css: &str) {
        // What is renewed just now is found anew.
        eventually(|| self.asks(json!(["click", css])).get("ok").is_some());
    }

    #[track_caller]
    pub(crate) fn types(&mut self, css: &str, text: &str) {
        self.does(json!(["type", css, text]));
    }

    #[track_caller]
    pub(crate) fn chooses(&mut self, css: &str, value: &str) {
        self.does(json!(["choose", css, value]));
    }

    /// Presses a key wherever the focus is.
    #[track_caller]
    pub(crate) fn press(&mut self, key: &str) {
        self.does(json!(["press", key]));
    }

    /// Where the focus is.
    #[track_caller]
    pub(crate) fn focused(&mut self) -> String {
        self.does(json!(["focused"])).as_str().unwrap_or_default().to_owned()
    }

    /// How wide the page is, what must be scrolled to included.
    #[track_caller]
    pub(crate) fn width(&mut self) -> u64 {
        self.does(json!(["width"])).as_u64().unwrap()
    }

    /// What whoever does not see or point would miss, and what the browser itself complains of.
    #[track_caller]
    pub(crate) fn flaws(&mut self) -> Vec<Json> {
        let of = |said: Json| said.as_array().unwrap().clone();
        [of(self.does(json!(["flaws"]))), of(self.does(json!(["messages"])))].concat()
    }

    /// Keeps a picture of the page, where `LARDER_PICTURES` names a folder for it.
    #[track_caller]
    pub(crate) fn pictured(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("LARDER_PICTURES") {
            self.does(json!(["save", Path::new(&folder).join(name)]));
        }
    }

    #[track_caller]
    fn does(&mut self, order: Json) -> Json {
        let mut said = self.asks(order.clone());
        assert!(said.get("error").is_none(), "{order}: {said}");
        said["ok"].take()
    }

    #[track_caller]
    fn asks(&mut self, order: Json) -> Json {
        writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
        let (process, read) = (&self.process, self.read);
        let answer = found(|| process.lines().get(read).cloned());
        self.read += 1;
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{order}: {:?}", process.lines()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.input.take());
        self.process.may_end();
    }
}

fn binary(name: &str) -> String {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
    let path = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    assert!(!path.is_empty(), "{name} is missing: tests/run installs it");
    path
}
