//! What the demo says: how to join in, a line each half second, and the table at the end.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use super::phase::{Happened, Phase, Source};
use crate::figures::grouped;

/// Whether words may have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// A terminal reads.
    Colour,
    /// A file or a pipe does, or nobody wants colours.
    Plain,
}

/// What goes before everything: what runs where, and how to call it by hand.
pub(super) fn greeting(
    gateway: SocketAddr,
    admin: SocketAddr,
    backends: &[SocketAddr],
    clients: usize,
) -> String {
    let backends: Vec<String> = backends.iter().map(ToString::to_string).collect();
    let (port, backends) = (gateway.port(), backends.join(", "));
    format!(
        "Larder demo: {clients} clients -> gateway {gateway} -> 2 sample backends\n\
         ({backends}). The backends are processes of their own;\n\
         they will be killed and started again.\n\n\
         Call the gateway yourself meanwhile, from the top of the repository\n\
         (pip install thriftpy2):\n\n\
         \x20 import thriftpy2, thriftpy2.rpc\n\
         \x20 users = thriftpy2.load(\"idl/users.thrift\", module_name=\"users_thrift\")\n\
         \x20 client = thriftpy2.rpc.make_client(users.UserService, \"127.0.0.1\", {port})\n\
         \x20 print(client.getUser(7, \"by hand\"))\n\n\
         That is thriftpy2's unframed default; a framed client works on the same port:\n\n\
         \x20 from thriftpy2.transport import TFramedTransportFactory\n\
         \x20 client = thriftpy2.rpc.make_client(users.UserService, \"127.0.0.1\", {port},\n\
         \x20                                    trans_factory=TFramedTransportFactory())\n\n\
         Page:     http://{admin}/\n\
         Figures:  curl http://{admin}/metrics\n\
         State:    larder nagios {admin}"
    )
}

/// What goes after the table if everything is to stay.
pub(super) fn holding(gateway: SocketAddr, admin: SocketAddr) -> String {
    format!("\nEverything keeps running until Ctrl-C:\ngateway {gateway}, figures http://{admin}/metrics")
}

/// The names over the lines.
pub(super) fn heading() -> String {
    format!(
        "\n{:>6} {:<8}{:>8}{:>6}{:>6}{:>6}{:>8}{:>8}{:>8}{:>8}{:>7}\n\
         \x20                      (shares of answers; *outage: stale, backends down)",
        "time",
        "phase",
        "calls/s",
        "fresh",
        "Redis",
        "stale",
        "backend",
        "*outage",
        "oldest",
        "p99",
        "errors"
    )
}

/// One line: what happened in the last half second.
pub(super) fn line(at: Duration, phase: Phase, happened: &Happened, ink: Ink) -> String {
    let share = |sources: &[Source]| percent(happened.share(sources));
    let name = format!("{:<8}", phase.name());
    let failed = format!("{:>7}", happened.failed());
    format!(
        "{:>6} {}{:>8}{:>6}{:>6}{:>6}{:>8}{:>8}{:>8}{:>8}{}",
        age(at),
        paint(&name, phase_colour(phase), ink),
        grouped(happened.rate().round() as u64),
        share(&[Source::Fresh]),
        share(&[Source::Shared]),
        share(&[Source::Stale]),
        share(&[Source::Backend, Source::Coalesced]),
        share(&[Source::Outage]),
        age(happened.felt.oldest),
        time(happened.felt.p99),
        if happened.failed() > 0 { paint(&failed, RED, ink) } else { failed },
    )
}

/// A note between the lines.
pub(super) fn note(text: &str, ink: Ink) -> String {
    let lines = wrapped(&format!("--- {text}"), WIDTH - 2);
    paint(&format!("  {}", lines.replace('\n', "\n      ")), BOLD, ink)
}

/// The table and what it shows.
pub(super) fn table(phases: &[(Phase, Happened)], ink: Ink) -> String {
    let mut text = String::from("\n");
    let mut row = |name: &str, cell: &dyn Fn(&Happened) -> String| {
        let cells: Vec<String> =
            phases.iter().map(|(_, happened)| format!("{:>13}", cell(happened))).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<38}{}", cells.concat());
    };
    row("calls", &|happened| grouped(happened.counted.calls));
    row("calls per second", &|happened| grouped(happened.rate().round() as u64));
    row("answers came from", &|_| String::new());
    for source in Source::ALL {
        let used = phases.iter().any(|(_, happened)| happened.from(&[source]) > 0);
        if used {
            row(&format!("  {}", source.name()), &|happened| percent(happened.share(&[source])));
        }
    }
    row("99 of 100 calls took at most", &|happened| time(happened.felt.p99));
    row("oldest answer served", &|happened| age(happened.felt.oldest));
    row("errors", &|happened| grouped(happened.failed()));
    row("  for what was asked before", &|happened| grouped(happened.counted.known_failed));
    row("  for what was never asked before", &|happened| {
        format!("{} of {}", happened.counted.strange_failed, happened.counted.strange)
    });
    let heads: Vec<String> = phases.iter().map(|(phase, _)| format!("{:>13}", phase.name())).collect();
    let head = paint(&format!("{:<38}{}", "", heads.concat()), BOLD, ink);
    format!("\n{head}{text}\n{}", summary(phases))
}

/// What was shown, in figures of this very run.
fn summary(phases: &[(Phase, Happened)]) -> String {
    let outage = phases.iter().find(|(phase, _)| *phase == Phase::Outage).map(|(_, happened)| happened);
    let Some(outage) = outage else {
        return String::new();
    };
    let before =
        phases.iter().find(|(phase, _)| *phase == Phase::Up).map_or(0.0, |(_, happened)| happened.rate());
    let answered = outage.counted.calls.saturating_sub(outage.failed());
    let text = format!(
        "With both backends killed, Larder answered {} of {} calls from its cache, {} a second after {} before, with nothing older \
         than {}; {} calls failed that had been answered before, and the {} that nobody had asked yet got {} clear exceptions.",
        grouped(answered),
        grouped(outage.counted.calls),
        grouped(outage.rate().round() as u64),
        grouped(before.round() as u64),
        age(outage.felt.oldest),
        grouped(outage.counted.known_failed),
        grouped(outage.counted.strange),
        grouped(outage.counted.strange_failed),
    );
    wrapped(&text, WIDTH)
}

/// The words in lines of at most `width`, unless one is longer.
fn wrapped(text: &str, width: usize) -> String {
    let (mut lines, mut length) = (String::new(), 0);
    for word in text.split(' ') {
        if length > 0 && length + 1 + word.len() > width {
            lines.push('\n');
            length = 0;
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += word.len();
    }
    lines
}

fn percent(share: f64) -> String {
    match share {
        0.0 => "-".to_owned(),
        small if small < 0.1 => "<0.1%".to_owned(),
        all if all >= 99.95 => "100%".to_owned(),
        share => format!("{share:.1}%"),
    }
}

fn age(age: Duration) -> String {
    match age.as_secs_f64() {
        short if short < 1_000.0 => format!("{short:.1}s"),
        long => format!("{long:.0}s"),
    }
}

/// What a call took.
fn time(time: Duration) -> String {
    match time.as_secs_f64() * 1000.0 {
        0.0 => "-".to_owned(),
        ms if ms < 10.0 => format!("{ms:.2}ms"),
        ms => format!("{ms:.0}ms"),
    }
}

fn phase_colour(phase: Phase) -> &'static str {
    match phase {
        Phase::Up => GREEN,
        Phase::Outage => RED,
        Phase::Recovery => CYAN,
    }
}

fn paint(text: &str, colour: &str, ink: Ink) -> String {
    match ink {
        Ink::Colour => format!("\x1b[{colour}m{text}\x1b[0m"),
        Ink::Plain => text.to_owned(),
    }
}

/// Columns of the narrowest terminal.
const WIDTH: usize = 80;
const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const CYAN: &str = "36";

#[cfg(test)]
mod tests {
    use super::super::load::{Counted, Felt};
    use super::super::scrape::Outcomes;
    use super::*;
    use crate::outcome::Outcome;

    fn outage() -> Happened {
        let mut outcomes = Outcomes::default();
        outcomes.add(Outcome::StaleIfError, 995);
        outcomes.add(Outcome::Failed, 5);
        let counted = Counted { calls: 1_000, strange: 5, strange_failed: 5, ..Counted::default() };
        let felt = Felt { oldest: Duration::from_millis(4_230), p99: Duration::from_micros(1_260) };
        Happened { time: Duration::from_millis(500), outcomes, counted, felt }
    }

    #[test]
    fn a_line_fits_a_terminal_and_its_heading() {
        let line = line(Duration::from_secs(7), Phase::Outage, &outage(), Ink::Plain);
        assert_eq!(line, "  7.0s OUTAGE     2,000     -     -     -       -   99.5%    4.2s  1.26ms      5");
        let heading = heading();
        assert_eq!(heading.lines().nth(1).unwrap().len(), line.len());
        fits(&[&heading, &line]);
    }

    #[track_caller]
    fn fits(texts: &[&str]) {
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn everything_fits_the_narrowest_terminal() {
        let address = SocketAddr::from(([127, 0, 0, 1], 65_535));
        let busy = |outcome| {
            let mut outcomes = Outcomes::default();
            outcomes.add(outcome, 123_456);
            let counted =
                Counted { calls: 12_345_678, strange: 12_345, strange_failed: 12_345, ..Counted::default() };
            let felt = Felt { oldest: Duration::from_secs(3_599), p99: Duration::from_secs(10) };
            Happened { time: Duration::from_secs(100), outcomes, counted, felt }
        };
        let message = "getUser(1000123) got the exception \"larder: backend users is unreachable: \
                       127.0.0.1:65535: Connection refused (os error 111)\"";
        let phases: Vec<(Phase, Happened)> = Phase::ALL.map(|phase| (phase, busy(Outcome::HitLocal))).into();
        fits(&[
            &greeting(address, address, &[address, address], 4096),
            &holding(address, address),
            &note(message, Ink::Plain),
            &table(&phases, Ink::Plain),
        ]);
        for outcome in Outcome::ALL {
            fits(&[&line(Duration::from_secs(9_999), Phase::Recovery, &busy(outcome), Ink::Plain)]);
        }
    }

    #[test]
    fn the_table_says_what_was_shown_in_figures_of_the_run() {
        let table = table(&[(Phase::Up, Happened::default()), (Phase::Outage, outage())], Ink::Plain);
        for words in [
            "5 of 5",
            "99.5%",
            "answered 995 of 1,000 calls from its cache, 2,000 a second",
            "nothing older than 4.2s",
            "1.26ms",
        ] {
            assert!(table.replace('\n', " ").contains(words), "{words}: {table}");
        }
        assert!(!table.contains("Redis"), "{table}");
        assert!(!table.contains('\x1b'), "{table}");
    }
}
