//! The page for people, in a real browser: in an outage, on a telephone, in the dark, by keyboard, and with its orders.

use serde_json::json;

use crate::harness::*;

const KEPT: &str = "ttl = '100ms'\nstale_if_error = '60s'";
const METHOD: &str = "UserService.getUser";
const TOKEN: &str = "open sesame";
const NONE: [serde_json::Value; 0] = [];

/// A page that is looked at: of a gateway that takes orders from who shows its token.
struct Scene {
    backend: PythonBackend,
    gateway: Gateway,
    browser: Browser,
    _token: tempfile::TempDir,
}

impl Scene {
    /// One call was answered, and is kept.
    fn open() -> Self {
        let backend = python_backend(Library::Thriftpy2, Wire::framed());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        let token = format!("token_file = {file:?}");
        let gateway = gateway().endpoint(backend.address()).get_user(KEPT).section("admin", &token).start();
        gateway.client().get_user(7);
        let mut browser = Browser::start();
        browser.open(gateway.admin(), 1100, "light");
        Self { backend, gateway, browser, _token: folder }
    }
}

#[test]
fn an_outage_is_seen_on_the_page_from_its_beginning_to_its_end() {
    let mut backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    let mut client = gateway.client();
    client.get_user(7);
    let mut browser = Browser::start();
    browser.open(gateway.admin(), 1100, "light");
    browser.shows("#link", "live");
    browser.shows("#headline", "All backends answer.");
    browser.shows("#answers", METHOD);
    browser.shows("#backends", "in rotation");
    backend.kill();
    eventually(|| {
        client.get_user(7);
        browser.text("#headline").contains("users is down since")
    });
    browser.shows("#backends", "out: refused, for ");
    browser.shows("#answers", "stale ");
    browser.shows("#lasting", "by old replies");
    browser.shows("#outages", "so far");
    browser.pictured("outage.png");
    let address = backend.address();
    browser.shows("#outages", &format!("{address} refused"));
    backend.revive();
    browser.shows("#headline", "All backends answer.");
    browser.shows("#backends", "in rotation");
    assert!(!browser.text("#outages").contains("so far"));
    assert_eq!(browser.flaws(), NONE);
}

#[test]
fn it_fits_a_telephone_in_the_dark_and_misses_nothing_for_who_does_not_see() {
    let Scene { gateway, browser, .. } = &mut Scene::open();
    for (width, scheme) in [(360, "dark"), (360, "light"), (1100, "dark"), (1100, "light")] {
        browser.open(gateway.admin(), width, scheme);
        browser.shows("#link", "live");
        browser.shows("#answers", METHOD);
        assert_eq!(browser.width(), u64::from(width), "{scheme}");
        assert_eq!(browser.flaws(), NONE, "{width} {scheme}");
        browser.pictured(&format!("{width}-{scheme}.png"));
        browser.click("#steer");
        assert_eq!(browser.flaws(), NONE, "{width} {scheme}, in the form");
    }
    let weight: usize = ["/", "/page.css", "/page.js", "/page.svg"]
        .map(|path| gateway.page(path).unwrap().1.len())
        .iter()
        .sum();
    assert!(weight < 100_000, "{weight} bytes");
}

#[test]
fn a_switch_is_set_and_undone_by_who_shows_the_token() {
    let Scene { backend, gateway, browser, .. } = &mut Scene::open();
    let drain = format!("button[data-action=drain][data-subject='users/{}']", backend.address());
    browser.click(&drain);
    browser.shows("#order-command", &format!("drain users/{} --for 1h", backend.address()));
    for (field, text) in [("who", "ann"), ("for", "10m"), ("why", "it's slow"), ("token", "wrong")] {
        browser.types(&format!("#order-{field}"), text);
    }
    browser.click("#order-send");
    browser.shows("#order-answer", "shows its token");
    assert_eq!(gateway.page("/v1/switches").unwrap().1, "[]");
    browser.types("#order-token", TOKEN);
    browser.click("#order-send");
    browser.shows("#switches", "drained");
    browser.shows("#switches", "it's slow");
    browser.shows("#backends", "out: drained");
    gateway.logs(&["switch set", "drained", "it's slow", "ann"]);
    browser.click("button[data-undo]");
    browser.shows("#order-title", "Undo: endpoint users/");
    browser.types("#order-why", "over");
    browser.click("#order-send");
    browser.shows("#switches", "None: all is as configured.");
    gateway.logs(&["switch undone", "over"]);
}

#[test]
fn each_action_of_the_form_is_an_order_that_is_understood() {
    let Scene { backend, browser, .. } = &mut Scene::open();
    let endpoint = format!("users/{}", backend.address());
    let actions = [
        ("hold-stale", METHOD, "2h", format!("hold stale 2h for method {METHOD}")),
        ("hold-stale", "all", "2h", "hold stale 2h for all methods".to_owned()),
        ("stale-only", "backend users", "", "stale only for backend users".to_owned()),
        ("bypass", METHOD, "", format!("bypass the cache of method {METHOD}")),
        ("mode", METHOD, "observe", format!("rule {METHOD} observe")),
        ("ramp", METHOD, "25", format!("rule {METHOD} for 25 % of its keys")),
        ("eject", &endpoint, "", format!("endpoint {endpoint} out")),
        ("force-in", &endpoint, "", format!("endpoint {endpoint} in")),
        ("weigh", &endpoint, "3", format!("endpoint {endpoint} weighs 3")),
        ("down", "users", "", "backend users down".to_owned()),
        ("up", "users", "", "backend users up".to_owned()),
        ("try-anyway", "users", "", "backend users is sent what endpoints died of".to_owned()),
        ("log", "", "info,larder::backend=debug", "log info,larder::backend=debug".to_owned()),
    ];
    for (action, subject, value, says) in actions {
        browser.click("#steer");
        browser.chooses("#order-action", action);
        for (field, text) in [("subject", subject), ("value", value), ("token", TOKEN), ("why", "a test")] {
            if !text.is_empty() {
                browser.types(&format!("#order-{field}"), text);
            }
        }
        browser.click("#order-send");
        browser.shows("#switches", &says);
    }
}

#[test]
fn what_is_wrong_is_purged_and_a_call_explained() {
    let Scene { gateway, browser, .. } = &mut Scene::open();
    browser.types("#explain-method", METHOD);
    browser.types("#explain-arguments", r#"{"id": 7}"#);
    browser.click("#explain button");
    browser.shows("#explained", "UserService.getUser at listener users");
    browser.shows("#explained", "stale_if_error 1m");
    browser.types("#explain-arguments", "{");
    browser.click("#explain button");
    browser.shows("#explained", "JSON");
    browser.click("#steer");
    browser.chooses("#order-action", "purge");
    browser.types("#order-subject", &format!("call {METHOD} {}", json!({"id": 7})));
    browser.types("#order-token", TOKEN);
    browser.types("#order-why", "wrong name");
    browser.shows("#order-command", "larder purge");
    browser.click("#order-send");
    gateway.logs(&["purge", "wrong name"]);
}

#[test]
fn who_comes_by_keyboard_stays_where_he_is_while_the_page_is_renewed() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    let mut client = gateway.client();
    client.get_user(7);
    let mut browser = Browser::start();
    browser.open(gateway.admin(), 1100, "light");
    browser.shows("#answers", METHOD);
    eventually(|| {
        browser.press("TAB");
        browser.focused() == "steer-1"
    });
    let calls = browser.text("#answers figcaption");
    eventually(|| {
        client.get_user(7);
        browser.text("#answers figcaption") != calls
    });
    assert_eq!(browser.focused(), "steer-1");
    browser.press("ENTER");
    browser.shows("#order-elsewhere", "takes no orders here");
    browser.press("ESCAPE");
    assert_eq!(browser.text("#order-title"), "");
}

/// Gives the order that stands in the form.
fn gives(browser: &mut Browser, why: &str) {
    browser.types("#order-token", TOKEN);
    browser.types("#order-why", why);
    browser.click("#order-send");
    eventually(|| {
        assert_eq!(browser.text("#order-answer"), "", "{why}");
        browser.text("#order-title").is_empty()
    });
}

#[test]
fn a_night_is_got_through_with_the_page_alone() {
    let Scene { backend, gateway, browser, .. } = &mut Scene::open();
    let mut client = gateway.client();
    browser.shows("#headline", "All backends answer.");
    // Something hangs; the page says what, and old replies answer. The signal may come while the server answers one more call.
    backend.stop();
    let known = client.get_user(7).email();
    eventually(|| {
        assert_eq!(client.get_user(7).email(), known);
        browser.text("#headline").contains("users")
    });
    browser.shows("#answers", "stale ");
    // There is a clock to stop.
    browser.click("button[data-action=hold-stale][data-subject='backend users']");
    gives(browser, "the database hangs");
    browser.shows("#switches", "hold stale 6h for backend users");
    // Whoever mends the server wants no calls there.
    browser.click("button[data-action=drain]");
    gives(browser, "it is restarted");
    browser.shows("#backends", "out: drained");
    backend.kill();
    backend.revive();
    browser.shows("#switches", "it is restarted");
    // Before it serves again, what it said wrongly is purged, softly: it answers until then.
    browser.click("#steer");
    browser.chooses("#order-action", "purge");
    browser.types("#order-subject", METHOD);
    gives(browser, "the database was rolled back");
    assert_eq!(client.get_user(7).email(), known);
    browser.shows("#outages", "users");
    for left in [1, 0] {
        browser.click("button[data-undo]");
        gives(browser, "over");
        eventually(|| in_force(gateway) == left);
    }
    browser.shows("#headline", "All backends answer.");
    eventually(|| client.get_user(7).email() != known);
}

fn in_force(gateway: &Gateway) -> usize {
    let all: Vec<serde_json::Value> = serde_json::from_str(&gateway.page("/v1/switches").unwrap().1).unwrap();
    all.len()
}
