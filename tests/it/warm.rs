//! What a gateway knows after a restart.

use std::fs;

use crate::harness::*;

/// A gateway whose entries are fresh for a minute, and that keeps them in a folder for the next.
fn keeping(backend: &Backend, folder: &tempfile::TempDir) -> Builder {
    gateway()
        .endpoint(backend.address())
        .section("runtime", &format!("state_dir = '{}'", folder.path().display()))
        .get_user("ttl = '60s'\nstale_if_error = '60s'")
}

fn stops(mut gateway: Gateway) {
    gateway.terminate();
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn a_gateway_that_is_restarted_in_an_outage_still_answers() {
    let (mut backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let before = keeping(&backend, &folder).start();
    let known = before.client().get_user(7).email();
    backend.kill();
    pass(ms(1_000));
    stops(before);
    let after = keeping(&backend, &folder).start();
    after.logs(&["the local tier is restored"]);
    assert_eq!(after.client().get_user(7).email(), known);
    assert_eq!(after.outcomes("stale_if_error"), 1);
    let age = after.metrics().sum("larder_served_age_seconds_sum", &[("outcome", "stale_if_error")]);
    assert!(age >= 1.0, "it is as old as it is: {age} s");
    assert!(after.client().get_user(8).is_exception());
    // And once more, from what was restored.
    stops(after);
    let again = keeping(&backend, &folder).start();
    assert_eq!(again.client().get_user(7).email(), known);
}

#[test]
fn what_is_restored_answers_nobody_whom_a_backend_answers() {
    let (backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let before = keeping(&backend, &folder).start();
    let known = before.client().get_user(7).email();
    stops(before);
    let after = keeping(&backend, &folder).start();
    after.logs(&["the local tier is restored"]);
    let fresh = after.client().get_user(7).email();
    assert_ne!(fresh, known);
    assert_eq!(after.client().get_user(7).email(), fresh, "what it answered is kept");
}

#[test]
fn a_gateway_that_is_killed_has_kept_what_it_knew_a_while_before() {
    let (mut backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let often =
        |backend: &Backend| keeping(backend, &folder).section("cache.local", "save_interval = '50ms'");
    let mut before = often(&backend).start();
    let known = before.client().get_user(7).email();
    let file = folder.path().join("local-0.snapshot");
    eventually(|| {
        fs::read(&file).is_ok_and(|part| part.windows(known.len()).any(|bytes| bytes == known.as_bytes()))
    });
    before.kill();
    backend.kill();
    let after = often(&backend).start();
    assert_eq!(after.client().get_user(7).email(), known);
}

#[test]
fn what_is_damaged_on_the_disk_is_told_and_harms_nobody() {
    let (mut backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let before = keeping(&backend, &folder).start();
    let emails = [7, 8].map(|id| before.client().get_user(id).email());
    stops(before);
    backend.kill();
    let file = folder.path().join("local-0.snapshot");
    let whole = fs::read(&file).unwrap();
    let at = whole.windows(emails[0].len()).position(|bytes| bytes == emails[0].as_bytes()).unwrap();
    let mut spoilt = whole.clone();
    spoilt[at] ^= 1;
    for (content, answered) in
        [(spoilt, true), (whole[..3].to_vec(), false), (b"something else".to_vec(), false)]
    {
        fs::write(&file, content).unwrap();
        let mut after = keeping(&backend, &folder).start();
        after.logs(&["cannot be read", "local-0.snapshot"]);
        assert!(after.client().get_user(7).is_exception());
        assert_eq!(!after.client().get_user(8).is_exception(), answered);
        // It leaves the file as it is.
        after.kill();
    }
}

#[test]
fn who_takes_another_ones_place_knows_what_that_one_knew() {
    let (mut backend, folder) = (backend(), tempfile::tempdir().unwrap());
    let path = folder.path().join("handover");
    let relieved = keeping(&backend, &folder).section("runtime", &format!("handover = '{}'", path.display()));
    let mut before = relieved.start();
    let known = before.client().get_user(7).email();
    backend.kill();
    let after = relieved.start();
    assert_eq!(before.exit_code(), Some(0));
    assert_eq!(after.client().get_user(7).email(), known);
}
