//! `larder tap`: calls as a running gateway answers them.

use std::io::{self, Write};
use std::ops::ControlFlow;

use clap::Args;

use super::admin::Admin;
use super::events::{Event, Events};
use super::trust::Trust;
use crate::setting::Period;
use crate::tap::line::Line;
use crate::tap::wanted::Wanted;

/// Whose calls, and which.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The gateway's admin endpoint: a host name or address, and its port unless that is 9099; or the path of its socket.
    #[arg(value_name = "ADDR")]
    admin: Admin,
    #[command(flatten)]
    trust: Trust,
    /// Calls of these methods, as rules name them: Service.method, Service.prefix* or Service.*.
    #[arg(long, value_name = "PATTERN")]
    method: Option<String>,
    /// Calls of which this became, such as failed or stale; several words with commas in between.
    #[arg(long, value_name = "OUTCOMES")]
    outcome: Option<String>,
    /// Calls that came to this listener.
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Calls for this backend.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Calls that were sent to this endpoint.
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<String>,
    /// Calls that took at least so long, such as 50ms.
    #[arg(long, value_name = "TIME")]
    slower_than: Option<Period>,
    /// The most calls that are shown in a second, up to 1000; the others are counted.
    #[arg(long, value_name = "CALLS", default_value_t = 100)]
    per_second: u32,
    /// For how long, up to 1h.
    #[arg(long = "for", value_name = "TIME", default_value = "10m")]
    lasts: Period,
    /// Prints each call as the gateway tells it, as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// Prints calls until the time is up or nobody reads them any more.
pub(super) fn run(arguments: &Arguments) -> Result<String, (String, u8)> {
    let failed = |why: String| (why, 1);
    let query = serde_urlencoded::to_string(wanted(arguments)).map_err(|error| failed(error.to_string()))?;
    let admin = arguments.trust.lend(&arguments.admin)?;
    let (mut events, mut out) = (Events::default(), io::stdout().lock());
    if !arguments.json {
        // Whoever reads no more is noticed at the first call.
        let _ = writeln!(out, "{HEAD}");
    }
    let followed = admin.follow(&format!("/v1/tap?{query}"), |part| {
        for event in events.take(part) {
            match event {
                Event::Call(data) if print(&mut out, &data, arguments.json).is_ok() => {}
                Event::Call(_) => return ControlFlow::Break(String::new()),
                Event::End(why) => return ControlFlow::Break(why),
            }
        }
        ControlFlow::Continue(())
    });
    match followed {
        Ok(Some(why)) if why.is_empty() || why == TIME_IS_UP => Ok(String::new()),
        Ok(Some(why)) => Err(failed(why)),
        Ok(None) => Err(failed(format!("{admin} hung up"))),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn wanted(arguments: &Arguments) -> Wanted {
    let Arguments { method, outcome, listener, backend, endpoint, slower_than, .. } = arguments.clone();
    let (per_second, lasts) = (Some(arguments.per_second), Some(arguments.lasts));
    Wanted { method, outcome, listener, backend, endpoint, slower_than, per_second, lasts }
}

fn print(out: &mut impl Write, data: &str, json: bool) -> io::Result<()> {
    match serde_json::from_str::<Line>(data) {
        Ok(line) if !json => writeln!(out, "{}", told(&line))?,
        // What a younger gateway says otherwise is shown as it is.
        Ok(_) | Err(_) => writeln!(out, "{data}")?,
    }
    out.flush()
}

/// A call in one line, and before it how many were left out.
fn told(line: &Line) -> String {
    let Line { at_unix_seconds, listener, client, method, outcome, why, .. } = line;
    let time =
        humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + seconds(*at_unix_seconds)).to_string();
    let time = time.get(11..23).unwrap_or(&time);
    let took = line.took_seconds * 1_000.0;
    let mut text = match line.missed {
        0 => String::new(),
        missed => format!("             ... {missed} more\n"),
    };
    text += &format!("{time} {took:>9.2} {outcome:<16} {method}");
    let age = line.age_seconds.map(|age| format!("{age:.0}s"));
    let endpoint = line.endpoint.as_deref();
    for (name, told) in [("why", why.as_deref()), ("age", age.as_deref()), ("at", endpoint)] {
        if let Some(told) = told {
            text += &format!(" {name}={told}");
        }
    }
    text + &format!(" listener={listener} client={client}")
}

fn seconds(seconds: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// How it ends that was to end so.
const TIME_IS_UP: &str = "its time is up";
/// What stands above the columns.
const HEAD: &str = "time (UTC)          ms outcome          method";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_in_one_line_after_how_many_were_left_out() {
        let line = Line {
            at_unix_seconds: 1_700_000_000.25,
            listener: "users".to_owned(),
            client: "10.0.0.7:4000".to_owned(),
            method: "UserService.getUser".to_owned(),
            key: None,
            outcome: "stale_if_error".to_owned(),
            why: Some("timeout".to_owned()),
            age_seconds: Some(130.4),
            backend: "users".to_owned(),
            endpoint: Some("10.0.0.1:9191".to_owned()),
            took_seconds: 0.0123,
            missed: 7,
        };
        assert_eq!(
            told(&line),
            "             ... 7 more\n\
             22:13:20.250     12.30 stale_if_error   UserService.getUser why=timeout age=130s at=10.0.0.1:9191 \
             listener=users client=10.0.0.7:4000"
        );
        let plain = Line { why: None, age_seconds: None, endpoint: None, missed: 0, ..line };
        assert_eq!(
            told(&plain),
            "22:13:20.250     12.30 stale_if_error   UserService.getUser listener=users client=10.0.0.7:4000"
        );
    }
}
