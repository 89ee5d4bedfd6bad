//! What the options of the shared tier may say together.

use super::*;

fn problems(adjust: impl FnOnce(&mut SharedOptions)) -> Vec<String> {
    let mut options = SharedOptions::default();
    adjust(&mut options);
    options.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_url_names_a_host_and_no_secret() {
    let check = |url: &str, expected: Option<&str>| {
        let found = problems(|options| options.url = Some(url.to_owned()));
        match (&found[..], expected) {
            ([], None) => {}
            ([fault], Some(part)) => assert!(fault.contains(part), "{url}: {fault}"),
            _ => panic!("{url}: {found:?}"),
        }
    };
    check("redis://127.0.0.1:6379/0", None);
    check("redis://127.0.0.1", None);
    check("redis://[::1]:6379", None);
    check("rediss://127.0.0.1", None);
    check("unix:///run/redis.sock", None);
    check("redis://:secret@127.0.0.1", Some("password_file"));
    check("redis://me:secret@127.0.0.1/1", Some("password_file"));
    check("redis://127.0.0.1/one", Some("database"));
    check("redis://", Some("no host"));
    check("127.0.0.1:6379", Some("expected a url"));
    check("http://127.0.0.1", Some("expected a url"));
    check("redis://127.0.0.1?protocol=resp3", Some("?"));
}

#[test]
fn where_redis_is_stands_in_one_place() {
    let list = || vec!["a".to_owned(), "[::1]:7".to_owned()];
    assert_eq!(problems(|options| options.cluster = list()), [""; 0]);
    let watched = |options: &mut SharedOptions| {
        (options.sentinels, options.master) = (list(), Some("main".to_owned()));
    };
    assert_eq!(problems(watched), [""; 0]);
    let said = |adjust: &dyn Fn(&mut SharedOptions), expected: &str| {
        let found = problems(adjust);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
    };
    let url = Some("redis://db".to_owned());
    said(&|_| {}, "url: missing: expected url, or sentinels and master, or cluster");
    said(&|options| (options.url, options.cluster) = (url.clone(), list()), "cluster: url is given too");
    said(&|options| (options.url, options.sentinels) = (url.clone(), list()), "sentinels: url is given too");
    said(
        &|options| (options.cluster, options.sentinels) = (list(), list()),
        "cluster: sentinels is given too",
    );
    said(&|options| options.sentinels = list(), "master: missing");
    said(&|options| options.cluster = vec!["redis://a".to_owned()], "cluster: redis://a: ");
    said(&|options| options.cluster = vec!["me:word@a:1".to_owned()], "cluster: an address: ");
    said(&|options| (options.url, options.database) = (url.clone(), 1), "database: belongs into url");
    said(&|options| (options.cluster, options.database) = (list(), 1), "database: a cluster has");
    said(&|options| (options.url, options.tls) = (url.clone(), true), "tls: belongs into url");
    let master = Some("main".to_owned());
    said(&|options| (options.url, options.master) = (url.clone(), master.clone()), "master: is of no use");
    let prefix = || "{larder}".to_owned();
    said(&|options| (options.cluster, options.prefix) = (list(), prefix()), "prefix: has a brace");
    let secret = || Some("secret".into());
    said(
        &|options| (options.cluster, options.format, options.secret_file) = (list(), 3, secret()),
        "secret_file: needs",
    );
    let ca = Some("ca.pem".into());
    said(
        &|options| (options.cluster, options.tls_ca) = (list(), ca.clone()),
        "tls_ca: is of no use without tls",
    );
}

#[test]
fn a_secret_is_long() {
    let options = SharedOptions { url: Some("redis://db".to_owned()), ..SharedOptions::default() };
    let settings = |secret: &str| {
        let secret = Some(Secret::new(secret.to_owned()));
        options.settings(Found { secret, ..Found::default() })
    };
    assert!(settings(&"s".repeat(32)).unwrap().redis.codec.keyring.is_some());
    assert_eq!(settings("sesame").unwrap_err().option, "secret_file");
}
