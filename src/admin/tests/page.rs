//! The page: what a browser is told of it, and whose orders it gives.

use super::*;

#[tokio::test]
async fn the_own_page_gives_orders_as_anybody_does() {
    let own = "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n";
    let all = r#"{"all": true}"#;
    let known = Served::obeying(Authority::Token(Secret::new("sesame".to_owned()))).await;
    assert!(is(&known.answer(&purge_of(own, all)).await, 401));
    assert!(is(&known.answer(&purge_of(&format!("{own}Authorization: Bearer sesame\r\n"), all)).await, 200));
}

#[tokio::test]
async fn the_page_takes_nothing_from_elsewhere_and_is_not_kept() {
    let served = Served::start().await;
    for path in ["/", "/page.css", "/page.js", "/page.svg"] {
        let response = served.answer(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        assert!(is(&response, 200), "{response}");
        for header in ["content-security-policy: default-src 'none'", "cache-control: no-store", "nosniff"] {
            assert!(response.contains(header), "{path}: {response}");
        }
        for elsewhere in ["https:", "//cdn", "<style", "style=", "onclick="] {
            assert!(!response.contains(elsewhere), "{path} has {elsewhere}");
        }
    }
}

#[tokio::test]
async fn a_web_page_of_somebody_else_gives_no_commands() {
    let mut served = Served::start().await;
    let marks = [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost.evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: none",
        "Origin: http://localhost\r\nSec-Fetch-Site: same-site",
        "Origin: http://localhost\r\nOrigin: http://evil.example",
    ];
    for mark in marks {
        let response = served.answer(&format!("{RELOAD}{mark}\r\n\r\n")).await;
        assert!(is(&response, 403), "{mark}: {response}");
    }
    let by_name = RELOAD.replace("localhost", "evil.example");
    assert!(is(&served.answer(&format!("{by_name}\r\n")).await, 421));
    assert!(is(&served.answer("GET /v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n").await, 405));
    assert!(served.commands.try_recv().is_err());
}

#[tokio::test]
async fn open_pages_leave_room_for_probes_and_orders() {
    let served = Served::start().await;
    let look = "GET /page/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..ONGOING_MOST {
        let mut stream = served.sends(look).await;
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        open.push(stream);
    }
    let crowded = served.answer(look).await;
    assert!(is(&crowded, 429) && crowded.contains("16 responses go on already"), "{crowded}");
    assert!(is(&served.asked_as("localhost").await, 200));
}
