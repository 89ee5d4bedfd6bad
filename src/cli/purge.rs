//! `larder purge`: tells a running gateway what is wrong of what it keeps.

use std::fmt::Write;

use clap::Args;

use super::USAGE;
use super::admin::TIMEOUT;
use super::recipient::Recipient;
use crate::mark::Kind;
use crate::purge::Purged;
use crate::purge::order::{Called, Order, Tags, Written};

/// What is to be purged, and where.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["tag", "method", "service", "call", "key", "all"])))]
pub(super) struct Arguments {
    /// The replies with this tag, as rules make them; may be given more than once.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// The replies of one method, such as `UserService.getUser`.
    #[arg(long, value_name = "SERVICE.METHOD")]
    method: Option<String>,
    /// The replies of all methods of a service.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// The replies to one call: its method, and its arguments by name as JSON, those alone that clients send.
    #[arg(long, num_args = 1..=2, value_names = ["SERVICE.METHOD", "JSON"])]
    call: Option<Vec<String>>,
    /// The reply under the key with this hash.
    #[arg(long, value_name = "HASH")]
    key: Option<String>,
    /// All replies.
    #[arg(long)]
    all: bool,
    /// They answer no more, not even when backends fail; without this, they do then.
    #[arg(long)]
    hard: bool,
    /// Purges all although backends are down.
    #[arg(long)]
    force: bool,
    /// Why, for whoever reads the gateway's log.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    recipient: Recipient,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let written = written(arguments).map_err(|why| (why, USAGE))?;
    Order::try_from(written.clone()).map_err(|error| (error.to_string(), USAGE))?;
    let Arguments { recipient, .. } = arguments;
    let token = recipient.token()?;
    let body = serde_json::to_vec(&written).map_err(|error| (error.to_string(), 1))?;
    let admin = recipient.admin()?;
    let answer = admin.post("/v1/purge", &body, token.as_deref(), ANSWER_MAX, TIMEOUT);
    admin.told(answer, recipient.form(), |purged: Purged| told(&purged))
}

/// The order as the endpoint reads it.
fn written(arguments: &Arguments) -> Result<Written, String> {
    let Arguments { tag, method, service, call, key, all, hard, force, why, .. } = arguments.clone();
    let call = call.map(|words| called(&words)).transpose()?;
    let kind = if hard { Kind::Hard } else { Kind::Soft };
    let (tag, all) = ((!tag.is_empty()).then_some(Tags::Many(tag)), all.then_some(true));
    Ok(Written { call, key, tag, method, service, all, kind, why, force })
}

fn called(words: &[String]) -> Result<Called, String> {
    let method = words.first().cloned().unwrap_or_default();
    let arguments = words.get(1).map_or("{}", String::as_str);
    let arguments = super::arguments::arguments(&method, arguments)?;
    Ok(Called { method, arguments })
}

/// An answer as people read it.
fn told(purged: &Purged) -> String {
    let Purged { marked, kind, tick: _, version, reached, warnings } = purged;
    let means = match kind {
        Kind::Soft => "answers only while backends fail",
        Kind::Hard => "answers no more",
    };
    let version = version.as_ref().map_or(String::new(), |version| format!("version {version}, "));
    let mut text = format!("what was kept until now {means} ({version}known to: {reached})\n");
    // Writing to a text does not fail.
    let _ = marked.iter().try_for_each(|marked| writeln!(text, "  {marked}"));
    let _ = warnings.iter().try_for_each(|warning| writeln!(text, "warning: {warning}"));
    text
}

/// Bytes of an answer: that of an order for 256 tags has them and a warning for each.
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
        Command::try_parse_from(["purge", "localhost"].iter().chain(words)).ok().map(|it| it.arguments)
    }

    #[test]
    fn exactly_one_thing_is_named() {
        let orders: [&[&str]; 7] = [
            &["--tag", "user:5", "--tag", "user:6"],
            &["--method", "S.get"],
            &["--service", "S", "--hard"],
            &["--call", "S.get", r#"{"id": 5}"#],
            &["--call", "S.get"],
            &["--all", "--force", "--why", "moved"],
            &["--key", "000102030405060708090a0b0c0d0e0f"],
        ];
        for words in orders {
            let written = written(&parse(words).unwrap()).unwrap();
            assert!(Order::try_from(written).is_ok(), "{words:?}");
        }
        for words in
            [&[][..], &["--all", "--tag", "a"], &["--tag", "a", "--method", "S.get"], &["--why", "x"]]
        {
            assert!(parse(words).is_none(), "{words:?}");
        }
    }

    #[test]
    fn wrong_usage_is_told_before_anybody_is_asked() {
        for words in [
            &["--call", "S.get", "{"][..],
            &["--key", "ff"],
            &["--tag", ""],
            &["--all", "--token-file", "/no"],
        ] {
            assert_eq!(run(&parse(words).unwrap()).unwrap_err().1, USAGE, "{words:?}");
        }
    }
}
