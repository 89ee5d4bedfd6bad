//! `larder switch`: has a running gateway do something otherwise than configured, for a while.

mod action;

use std::fmt::Write;

use clap::Args;

use super::USAGE;
use super::admin::TIMEOUT;
use super::recipient::Recipient;
use crate::admin::command::Reason;
use crate::figures::span;
use crate::switch::Switch;
use crate::switch::order::Order;
use crate::switch::table::{Held, InForce};

use action::{Action, Terms};

/// Which gateway, and what is done.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    recipient: Recipient,
    #[command(subcommand)]
    action: Action,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { recipient, action } = arguments;
    let (admin, token, form) = (&recipient.admin()?, recipient.token()?, recipient.form());
    let token = token.as_deref();
    match action {
        Action::List => {
            admin.told(admin.get(PATH, ANSWER_MAX, TIMEOUT), form, |all: Vec<InForce>| table(&all))
        }
        Action::Undo { id, why } => {
            let reason = serde_json::to_vec(&Reason { why: why.clone() });
            let reason = reason.map_err(|error| (error.to_string(), 1))?;
            let undone = admin.delete(&format!("{PATH}/{id}"), &reason, token, ANSWER_MAX, TIMEOUT);
            admin.told(undone, form, |one: InForce| format!("undone: {}", line(&one)))
        }
        Action::Set(set) => {
            let order = order(set.switch(), set.terms());
            order.check().map_err(|error| (error.to_string(), USAGE))?;
            let body = serde_json::to_vec(&order).map_err(|error| (error.to_string(), 1))?;
            let set = admin.post(PATH, &body, token, ANSWER_MAX, TIMEOUT);
            admin.told(set, form, |one: InForce| format!("in force: {}", line(&one)))
        }
    }
}

fn order(switch: Switch, Terms { lasts, why }: &Terms) -> Order {
    let who = std::env::var("USER").unwrap_or_default();
    Order { switch, lasts: *lasts, why: why.clone(), who }
}

fn table(all: &[InForce]) -> String {
    if all.is_empty() {
        return "no switch is in force: all is as configured\n".to_owned();
    }
    all.iter().map(line).collect()
}

/// A switch in a line: its number, what it says, how long it lasts, who said so and why.
fn line(InForce { held, age_seconds, left_seconds }: &InForce) -> String {
    let Held { id, says, who, why, .. } = held;
    let mut line = format!("{id}  {says}");
    // Writing to a text does not fail.
    let _ = match left_seconds {
        Some(left) => write!(line, ", for {} more", span(*left)),
        None => write!(line, ", until it is undone"),
    };
    let _ = write!(line, "; by {who}, {} ago", span(*age_seconds));
    if !why.is_empty() {
        let _ = write!(line, ": {why}");
    }
    line.push('\n');
    line
}

const PATH: &str = "/v1/switches";
/// Bytes of an answer: there are 256 switches at most.
const ANSWER_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(words: &[&str]) -> Option<Arguments> {
        Command::try_parse_from(["switch", "localhost"].iter().chain(words)).ok().map(|it| it.arguments)
    }

    #[test]
    fn each_kind_has_words_and_says_what_it_does() {
        for (words, says) in [
            ("hold-stale 2h --all", "hold stale 2h for all methods"),
            ("hold-stale 2h --backend users", "hold stale 2h for backend users"),
            ("stale-only --method S.get", "stale only for method S.get"),
            ("bypass S.get", "bypass the cache of method S.get"),
            ("mode S.* observe", "rule S.* observe"),
            ("ramp S.get 10", "rule S.get for 10 % of its keys"),
            ("drain users/10.0.0.1:9191", "endpoint users/10.0.0.1:9191 drained"),
            ("eject users/10.0.0.1:9191", "endpoint users/10.0.0.1:9191 out"),
            ("force-in users/[::1]:9191", "endpoint users/[::1]:9191 in"),
            ("weigh users/10.0.0.1:9191 3", "endpoint users/10.0.0.1:9191 weighs 3"),
            ("down users", "backend users down"),
            ("up users", "backend users up"),
            ("try-anyway users", "backend users is sent what endpoints died of"),
            ("log info,larder::backend=debug", "log info,larder::backend=debug"),
        ] {
            let words: Vec<&str> = words.split(' ').chain(["--for", "10m", "--why", "a test"]).collect();
            let Action::Set(set) = parse(&words).unwrap().action else { panic!("{words:?}") };
            let order = order(set.switch(), set.terms());
            assert_eq!((order.switch.to_string().as_str(), order.check().is_ok()), (says, true));
            let written = serde_json::to_vec(&order).unwrap();
            assert_eq!(Order::parse(&written).unwrap(), order);
        }
    }

    #[test]
    fn wrong_usage_is_told_before_anybody_is_asked() {
        for words in [&["stale-only"][..], &["drain", "users"], &["mode", "S.*", "maybe"], &["undo"], &[]] {
            assert!(parse(words).is_none(), "{words:?}");
        }
        let unlimited = parse(&["down", "users"]).unwrap();
        let (why, code) = run(&unlimited).unwrap_err();
        assert!(code == USAGE && why.contains("must expire"), "{why}");
    }
}
