//! `larder entries`: what a running gateway keeps in memory, by method.

use std::fmt::Write as _;

use clap::Args;

use super::admin::{Admin, Form, TIMEOUT};
use super::trust::Trust;
use crate::figures::short_span;
use crate::inventory::stock::{Asked, MethodStock, Stock};
use crate::rule::pattern::Pattern;

/// Whose entries, and where.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
    #[command(flatten)]
    trust: Trust,
    /// Those of these methods, as rules name them: Service.method, Service.prefix* or Service.*.
    #[arg(long, value_name = "PATTERN")]
    method: Option<Pattern>,
    /// Prints the gateway's answer as it is.
    #[arg(long)]
    json: bool,
}

/// What is said, and the exit code.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let Arguments { admin, trust, method, json } = arguments;
    let admin = trust.lend(admin)?;
    let asked = Asked { method: method.as_ref().map(ToString::to_string) };
    let query = serde_urlencoded::to_string(asked).map_err(|error| (error.to_string(), 1))?;
    let answer = admin.get(&format!("/v1/entries?{query}"), ANSWER_MAX, TIMEOUT);
    admin.told(answer, Form::of(*json), |stock: Stock| told(&stock))
}

fn told(stock: &Stock) -> String {
    let Stock { whole, seen, took_seconds, methods } = stock;
    let mut text = String::new();
    if !methods.is_empty() {
        let _ = writeln!(text, "{HEAD}");
        methods.iter().for_each(|method| method_told(method, &mut text));
        text.push('\n');
    }
    let (parts, took) = (if *whole { "all" } else { "the first" }, took_seconds * 1_000.0);
    let _ = writeln!(text, "{parts} {seen} slots of the local tier were looked at, in {took:.0} ms");
    text
}

fn method_told(stock: &MethodStock, text: &mut String) {
    let MethodStock { method, entries, bytes, states, covered, .. } = stock;
    let bytes = bytesize::ByteSize(*bytes).to_string();
    let ages = [stock.youngest_seconds, stock.median_seconds, stock.oldest_seconds].map(age).join(" / ");
    let _ = writeln!(text, "{method}\n  {entries:>9} {bytes:>10}   {ages}");
    let states = [
        ("fresh", states.fresh),
        ("stale_while_revalidate", states.stale_while_revalidate),
        ("stale_if_error", states.stale_if_error),
        ("expired", states.expired),
        ("of no rule in force", states.unruled),
        ("covered by a mark", *covered),
    ];
    let there = states.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = there.map(|(name, count)| format!("{count} {name}")).collect();
    let _ = writeln!(text, "  {}", told.join(", "));
}

/// An age in one word.
fn age(seconds: f64) -> String {
    short_span(seconds).replace(' ', "")
}

/// What stands above the lines of the methods.
const HEAD: &str = "    entries      bytes   youngest / median / oldest";
/// Bytes of an answer: there are 1001 methods at most.
const ANSWER_MAX: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::stock::States;

    #[test]
    fn each_method_is_told_with_what_its_entries_are_good_for() {
        let states = States { fresh: 10, stale_if_error: 2, ..States::default() };
        let method = MethodStock {
            method: "S.get".to_owned(),
            entries: 12,
            bytes: 4_096,
            youngest_seconds: 0.5,
            median_seconds: 61.0,
            oldest_seconds: 90_061.0,
            states,
            covered: 1,
        };
        let stock = Stock { whole: true, seen: 13, took_seconds: 0.002, methods: vec![method] };
        assert_eq!(
            told(&stock),
            format!(
                "{HEAD}\nS.get\n         12    4.0 KiB   0s / 1m1s / 1day1h\n  \
                 10 fresh, 2 stale_if_error, 1 covered by a mark\n\n\
                 all 13 slots of the local tier were looked at, in 2 ms\n"
            )
        );
        let part = Stock { whole: false, seen: 9, ..Stock::default() };
        assert_eq!(told(&part), "the first 9 slots of the local tier were looked at, in 0 ms\n");
    }
}
