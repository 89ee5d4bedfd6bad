//! How often a client that gave up on a call takes its late reply for the answer to the next one.
//!
//! `LARDER_LATE_RUNS=5000 cargo test --test it late:: -- --nocapture` is the long form: so many runs of each row, which it prints.
//! [A page](../LATE.md) keeps what it came to.

use serde_json::Value as Json;

use crate::harness::*;

/// Runs of each row.
fn runs() -> u32 {
    std::env::var("LARDER_LATE_RUNS").map_or(150, |runs| runs.parse().expect("LARDER_LATE_RUNS"))
}

/// One way to a thriftpy2 server: straight, or through a gateway with these options of its listener.
#[derive(Clone, Copy)]
enum Way {
    Straight,
    Through(&'static str),
}

/// What came of the runs of one library's clients, which wait for 500 ms.
#[allow(clippy::print_stdout, reason = "the long form is run for its table")]
fn measure(library: Library, way: Way) -> Json {
    let server = python_backend(Library::Thriftpy2, Wire::unframed());
    let came = match way {
        Way::Straight => late_replies(server.address(), library, Wire::unframed(), runs()),
        Way::Through(options) => {
            let gateway = gateway().listener(options).endpoint(server.address());
            let gateway = gateway.backend_speaks(Wire::unframed()).start();
            late_replies(gateway.address(), library, Wire::unframed(), runs())
        }
    };
    let (of, count) = (name(way), |word: &str| came[word].as_u64().unwrap());
    println!(
        "| {library:?} | {of} | {} | {} | {} | {} | {} |",
        count("runs"),
        count("late"),
        count("own"),
        count("error"),
        count("wrong")
    );
    came
}

fn name(way: Way) -> &'static str {
    match way {
        Way::Straight => "straight to the server",
        Way::Through("") => "through Larder",
        Way::Through(options) => options,
    }
}

#[test]
fn with_client_timeout_no_late_reply_is_taken_for_anothers_answer() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let came = measure(library, Way::Through("client_timeout = '250ms'"));
        assert_eq!(came["wrong"], 0, "{came}");
        // Both ends of the race were run: calls answered in time, and calls that were not.
        assert!(came["own"].as_u64() > Some(0) && came["late"].as_u64() > Some(0), "{came}");
    }
}

/// What was written before the next call's first byte came is with the client, and nobody can take it back.
#[test]
fn without_it_less_is_taken_wrongly_than_straight_from_the_server() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let straight = measure(library, Way::Straight);
        let through = measure(library, Way::Through(""));
        assert!(straight["wrong"].as_u64() > through["wrong"].as_u64(), "{straight} {through}");
    }
}
