//! Processes that end with the test that started them, and whose output can be waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use super::{PATIENCE, eventually, found, holds_within};

/// A child process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts the command, with what it writes (to either stream) kept as lines.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::piped(), Stdio::piped())
    }

    /// The same, with other things in the places of its input and its output.
    pub(crate) fn start_with(command: &mut Command, input: Stdio, output: Stdio) -> Self {
        let named = format!("{command:?}");
        let child = command.stdin(input).stdout(output).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{named} does not start: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        child.stdout.take().into_iter().for_each(|stream| collect(stream, &lines));
        child.stderr.take().into_iter().for_each(|stream| collect(stream, &lines));
        Self { child, lines }
    }

    /// All it has written.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a line that `pick` takes something from.
    #[track_caller]
    pub(crate) fn says<T>(&mut self, pick: impl Fn(&str) -> Option<T>) -> T {
        found(|| {
            let picked = self.lines().iter().find_map(|line| pick(line));
            if picked.is_none() && self.has_ended() && self.lines().iter().all(|line| pick(line).is_none()) {
                panic!("it ended early, and said:\n{}", self.lines().join("\n"));
            }
            picked
        })
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Sends it a signal: by a call, because a minimal system has no program that does.
    pub(crate) fn signal(&self, which: Signal) {
        kill_process(Pid::from_child(&self.child), which).unwrap();
    }

    /// Lets it open no further file descriptor, or lets it again.
    pub(crate) fn opens_descriptors(&self, may: bool) {
        let process = Some(Pid::from_child(&self.child));
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let current = if may { maximum } else { Some(0) };
        prlimit(process, Resource::Nofile, Rlimit { current, maximum }).unwrap();
    }

    /// Bytes of memory that it has, but for what is mapped of its program: that grows with the program alone.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        resident.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// The names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.map(|name| name.trim().to_owned()).collect()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        eventually(|| self.has_ended());
        self.child.wait().unwrap()
    }

    /// Gives it the time to end by itself.
    pub(crate) fn may_end(&mut self) {
        // What is left of it then is killed.
        let _ = holds_within(PATIENCE, || self.has_ended());
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn collect(stream: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            lines.lock().unwrap().push(line);
        }
    });
}
