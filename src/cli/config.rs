//! `larder config`: which configuration a running gateway obeys, which it obeyed before, and the way back.

use std::fmt::Write;

use clap::{Args, Subcommand};

use super::admin::{AskError, Form, TIMEOUT};
use super::recipient::Recipient;
use crate::admin::command::Reloaded;
use crate::admin::configuration::{Configuration, Rollback};
use crate::figures::span;

/// Which gateway, and what is asked or done.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    recipient: Recipient,
    #[command(subcommand)]
    action: Action,
}

/// What is asked or done.
#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Print the configuration in force, as TOML, without secrets.
    Show,
    /// Tell which configurations were in force, and what each changed.
    History,
    /// Put an earlier configuration in force again, whatever the file says, until it is read again.
    Rollback {
        /// Its number in the history.
        #[arg(value_name = "NUMBER")]
        generation: u64,
        /// Why, for whoever reads the gateway's log.
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { recipient, action } = arguments;
    let (admin, form) = (&recipient.admin()?, recipient.form());
    match action {
        Action::Show => admin.told(admin.get("/v1/config", ANSWER_MAX, TIMEOUT), form, |one| shown(&one)),
        Action::History => {
            let all = admin.get("/v1/config/history", ANSWER_MAX, TIMEOUT);
            admin.told(all, form, |all: Vec<Configuration>| all.iter().map(line).collect())
        }
        Action::Rollback { generation, why } => {
            let token = recipient.token()?;
            let order = Rollback { generation: *generation, why: why.clone() };
            let order = serde_json::to_vec(&order).map_err(|error| (error.to_string(), 1))?;
            let answer = admin.post("/v1/config/rollback", &order, token.as_deref(), ANSWER_MAX, TIMEOUT);
            let answer = answer.map_err(|error| if form == Form::Told { in_words(error) } else { error });
            admin.told(answer, form, |reloaded: Reloaded| told(&reloaded))
        }
    }
}

/// A configuration that can be used as a file: what is said of it is a comment.
fn shown(configuration: &Configuration) -> String {
    let Configuration { generation, came, file, age_seconds, needs_restart, toml, .. } = configuration;
    let ago = span(*age_seconds);
    let mut text = format!("# {generation} ({came}) of {file}, in force for {ago}\n");
    for waits in needs_restart {
        // Writing to a text does not fail.
        let _ = writeln!(text, "# waits for a restart: {waits}");
    }
    text.push('\n');
    text + toml
}

/// A configuration in a line and one more for each change.
fn line(configuration: &Configuration) -> String {
    let Configuration { generation, came, age_seconds, changes, .. } = configuration;
    let mut text = format!("{generation}  {came}, {} ago\n", span(*age_seconds));
    for change in changes {
        // Writing to a text does not fail.
        let _ = writeln!(text, "     {change}");
    }
    text
}

fn told(reloaded: &Reloaded) -> String {
    let lines =
        |words: &str, all: &[String]| -> String { all.iter().map(|one| format!("{words}{one}\n")).collect() };
    match reloaded {
        Reloaded::Applied { says, needs_restart, .. } => {
            let done = if says.is_empty() { "nothing changes\n".to_owned() } else { lines("", says) };
            done + &lines("needs a restart: ", needs_restart)
        }
        Reloaded::Refused { problems, .. } => lines("refused: ", problems),
    }
}

/// A refusal whose problems are lines.
fn in_words(error: AskError) -> AskError {
    match error {
        AskError::Refused { admin, why } => {
            let why = match serde_json::from_str(&why) {
                Ok(Reloaded::Refused { problems, .. }) => problems.join("\n"),
                Ok(Reloaded::Applied { .. }) | Err(_) => why,
            };
            AskError::Refused { admin, why }
        }
        AskError::Silence { .. } | AskError::Stranger { .. } => error,
    }
}

/// Bytes of an answer: six configurations of some MiB.
const ANSWER_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::configuration::Came;
    use crate::cli::admin::Admin;

    fn configuration() -> Configuration {
        Configuration {
            generation: 3,
            came: Came::Rollback { to: 1 },
            file: "larder.toml".to_owned(),
            since: 0,
            age_seconds: 61.2,
            changes: vec!["backend users: 1 endpoint more (h:2)".to_owned()],
            needs_restart: vec!["runtime.threads none to 3".to_owned()],
            toml: "[runtime]\n".to_owned(),
        }
    }

    #[test]
    fn what_is_shown_is_a_file_and_what_is_said_of_it_a_comment() {
        let expected = "# 3 (rollback to 1) of larder.toml, in force for 1m 1s\n\
            # waits for a restart: runtime.threads none to 3\n\n[runtime]\n";
        assert_eq!(shown(&configuration()), expected);
    }

    #[test]
    fn the_history_says_what_each_changed() {
        let expected = "3  rollback to 1, 1m 1s ago\n     backend users: 1 endpoint more (h:2)\n";
        assert_eq!(line(&configuration()), expected);
    }

    #[test]
    fn a_refusal_is_told_in_words() {
        let problems = ["generation 9 is not remembered", "and no other is"].map(str::to_owned).to_vec();
        let answer = serde_json::to_string(&Reloaded::Refused { problems, warnings: Vec::new() }).unwrap();
        for (why, expected) in [
            (answer.as_str(), "generation 9 is not remembered\nand no other is"),
            ("show a token", "show a token"),
        ] {
            let refused = AskError::Refused { admin: Admin::default(), why: why.to_owned() };
            assert_eq!(in_words(refused).to_string(), format!("127.0.0.1:9099 refuses: {expected}"));
        }
    }
}
