//! The commands, and what each exits with.

mod admin;
mod advise;
mod alive;
mod arguments;
mod call;
mod check;
mod config;
mod decode;
mod diff;
mod entries;
mod events;
mod exchange;
mod explain;
mod manual;
pub mod nagios;
mod purge;
mod recipient;
mod schema;
mod serve;
mod switch;
mod tap;
mod top;
mod trust;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::demo;

/// Answers Thrift calls from a cache, and keeps answering when the backends behind it are down.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    ///
    /// Without a configuration it takes the sample that ships inside the program.
    Serve(Configuration),
    /// Tell every problem of a configuration at once, with file, line and the nearest right name.
    ///
    /// Without a configuration it is the sample that ships inside the program.
    Check(check::Arguments),
    /// Show which configuration a running gateway obeys and which it obeyed before, or go back to one of those.
    Config(config::Arguments),
    /// Tell in words what a reload from one configuration to another changes, and what of it waits for a restart.
    Diff(diff::Arguments),
    /// Show it: sample backends, the gateway, a load, an outage and a recovery, with nothing else installed.
    Demo(demo::Arguments),
    /// A sample backend of the demo.
    #[command(hide = true)]
    DemoBackend(demo::backend::Arguments),
    /// Tell the state of a running gateway in one line and an exit code, as Nagios and its kin expect.
    Nagios(Box<nagios::Arguments>),
    /// Tell a running gateway what is wrong of what it keeps.
    Purge(purge::Arguments),
    /// Have a running gateway do something otherwise than configured, for a while; or list such switches, and undo them.
    Switch(switch::Arguments),
    /// Tell what a running gateway knows of a call: its rule and key, what is kept of it, and what would answer it.
    Explain(explain::Arguments),
    /// Tell which rules the methods should have that a running gateway observes.
    Advise(advise::Arguments),
    /// Tell whether a gateway answers, by the exit code: for the health checks of containers.
    Alive(alive::Arguments),
    /// Tell what a running gateway keeps in memory, by method: how much, how old, and what it may be used for.
    Entries(entries::Arguments),
    /// Watch a running gateway, each second: its methods, the keys with most of the calls, its endpoints.
    Top(top::Arguments),
    /// Watch calls as a running gateway answers them: what became of each, why, and how long it took.
    Tap(tap::Arguments),
    /// Make one Thrift call, through a gateway or straight to a backend, and tell its result as JSON.
    Call(call::Arguments),
    /// Tell what bytes mean: messages of Thrift, or what Larder keeps in Redis.
    Decode(decode::Arguments),
    /// Print what has a shell complete commands and options.
    Completions(manual::Completions),
    /// Print the manual page, or write one for each command into a folder.
    Man(manual::Manual),
}

/// The configuration's file, named with or without an option.
#[derive(Clone, Debug, Args)]
#[group(id = "configuration", multiple = false)]
struct Configuration {
    /// The configuration.
    file: Option<PathBuf>,
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Configuration {
    fn file(&self) -> Option<&Path> {
        self.file.as_deref().or(self.config.as_deref())
    }
}

/// Runs the command that the arguments name, and returns the exit code: 0 fine, 64 bad usage, 78 bad configuration, 1 anything else.
pub fn run() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { bad_usage() } else { 0 };
        }
    };
    match arguments.command {
        Command::Serve(named) => serve::run(named.file()),
        Command::Check(arguments) => check::run(&arguments),
        Command::Config(arguments) => said(config::run(&arguments)),
        Command::Diff(arguments) => said(diff::run(&arguments)),
        Command::Demo(arguments) => verdict(demo::run(&arguments)),
        Command::DemoBackend(arguments) => verdict(demo::backend::run(&arguments)),
        Command::Nagios(arguments) => {
            let (line, code) = nagios::run(&arguments);
            code.max(told(&format!("{line}\n")))
        }
        Command::Purge(arguments) => said(purge::run(&arguments)),
        Command::Switch(arguments) => said(switch::run(&arguments)),
        Command::Explain(arguments) => said(explain::run(&arguments)),
        Command::Advise(arguments) => said(advise::run(&arguments)),
        Command::Alive(arguments) => said(alive::run(&arguments)),
        Command::Entries(arguments) => said(entries::run(&arguments)),
        Command::Top(arguments) => said(top::run(&arguments)),
        Command::Tap(arguments) => said(tap::run(&arguments)),
        Command::Call(arguments) => said(call::run(&arguments)),
        Command::Decode(arguments) => {
            let (told, rest) = decode::run(&arguments);
            self::told(&told).max(said(rest))
        }
        Command::Completions(arguments) => said(Ok(manual::completions(&arguments))),
        Command::Man(arguments) => said(manual::manual(&arguments)),
    }
}

/// Writes to standard output. Whoever has closed it has read enough.
#[expect(clippy::print_stderr, reason = "commands speak to people")]
fn told(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            eprintln!("larder: cannot write: {error}");
            1
        }
    }
}

#[expect(clippy::print_stderr, reason = "commands speak to people")]
fn said(said: Result<String, (String, u8)>) -> u8 {
    match said {
        Ok(said) => told(&said),
        Err((why, code)) => {
            eprintln!("larder: {why}");
            code
        }
    }
}

/// A check that was asked wrongly knows nothing; to Nagios, 64 would be no state at all.
fn bad_usage() -> u8 {
    let asked = std::env::args_os().nth(1);
    if asked.is_some_and(|command| command == "nagios") { nagios::State::Unknown as u8 } else { USAGE }
}

#[expect(clippy::print_stderr, reason = "commands speak to people")]
fn verdict<E: std::error::Error>(done: Result<(), E>) -> u8 {
    match done {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("larder: {error}");
            1
        }
    }
}

/// Bad usage, as in `sysexits.h`.
pub const USAGE: u8 = 64;
/// Bad configuration, as in `sysexits.h`.
pub const CONFIG: u8 = 78;
