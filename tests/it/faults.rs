//! The fault table: for each fault, whether old entries answer, whether the endpoint is blamed, and what is tried again.

use crate::harness::*;

/// One row: a fault, and what the backend does to cause it.
struct Row {
    fault: &'static str,
    act: Act,
}

fn row(fault: &'static str, act: Act) -> Row {
    Row { fault, act }
}

impl Row {
    /// An old entry answers instead of the fault.
    #[track_caller]
    fn lets_old_entries_answer(self) -> Self {
        let (gateway, known, reply) = self.after_an_entry();
        assert_eq!(reply.email(), known);
        assert_eq!(gateway.outcomes("stale_if_error"), 1);
        assert!(gateway.faults(self.fault) > 0, "the fault was another one");
        self
    }

    /// The fault reaches the client although there is an old entry.
    #[track_caller]
    fn reaches_the_client(self) -> Self {
        let (gateway, _, reply) = self.after_an_entry();
        assert!(reply.is_exception(), "{reply:?}");
        assert_eq!(gateway.outcomes("failed"), 1);
        self
    }

    /// A caller for whom nothing is kept gets this.
    #[track_caller]
    fn says(self, expected: impl Fn(&Message) -> bool) -> Self {
        let backend = backend();
        backend.does("getUser", self.act.clone());
        let gateway = impatient().endpoint(backend.address()).start();
        let reply = gateway.client().get_user(7);
        assert!(expected(&reply), "{reply:?}");
        assert_eq!(gateway.faults(self.fault), 1, "the fault was another one");
        assert_eq!(gateway.outcomes("failed"), 1);
        self
    }

    /// Enough of them in a row and the method is out there; others are not.
    #[track_caller]
    fn blames_the_method(self) -> Self {
        let backend = backend();
        backend.does("getUser", self.act.clone());
        let gateway = impatient()
            .backend("ejection_failures = 2\nejection_time = '20s'")
            .endpoint(backend.address())
            .start();
        let mut client = gateway.client();
        for id in 0..4 {
            client.get_user(id);
        }
        gateway.logs(&["method out at an endpoint", "\"method\":\"UserService.getUser\""]);
        assert!(!client.call(Message::call("ping", 0, vec![])).is_exception());
        self
    }

    /// However many there are, the endpoint goes on being asked.
    #[track_caller]
    fn blames_nobody(self) -> Self {
        let backend = backend();
        backend.does("getUser", self.act.clone());
        let gateway = impatient()
            .backend("ejection_failures = 2\nejection_time = '20s'")
            .endpoint(backend.address())
            .start();
        let mut client = gateway.client();
        for id in 0..6 {
            client.get_user(id);
        }
        assert_eq!(gateway.faults("down"), 0);
        assert!(!client.call(Message::call("ping", 0, vec![])).is_exception());
        assert!(!gateway.log().iter().any(|line| line.contains("method out")));
        self
    }

    /// An idempotent call is tried on another endpoint; one that is not, is not.
    #[track_caller]
    fn tried_again_if_idempotent(self) -> Self {
        assert_eq!(self.tries(get_user(7)), 2);
        assert_eq!(self.tries(rename_user(7, "x")), 1);
        self
    }

    /// Nothing is tried again.
    #[track_caller]
    fn never_tried_again(self) -> Self {
        assert_eq!(self.tries(get_user(7)), 1);
        assert_eq!(self.tries(rename_user(7, "x")), 1);
        self
    }

    /// How often the call comes to any of two endpoints that both fail so.
    fn tries(&self, call: Message) -> usize {
        let backends = [backend(), backend()];
        for backend in &backends {
            backend.does("getUser", self.act.clone());
            backend.does("renameUser", self.act.clone());
        }
        let gateway = impatient()
            .backend("attempt_timeout = '150ms'")
            .endpoint(backends[0].address())
            .endpoint(backends[1].address())
            .start();
        gateway.client().call(call);
        backends.iter().map(Backend::calls).sum()
    }

    /// A gateway that had an entry for user 7 when the fault came; the email in that entry; what the next caller got.
    fn after_an_entry(&self) -> (Gateway, String, Message) {
        let backend = backend();
        let gateway = impatient().endpoint(backend.address()).start();
        let mut client = gateway.client();
        let known = client.get_user(7).email();
        pass(ms(60));
        backend.does("getUser", self.act.clone());
        let reply = client.get_user(7);
        (gateway, known, reply)
    }
}

/// A gateway whose calls take at most 400 ms, tries included, and whose entries are fresh for 50 ms.
fn impatient() -> Builder {
    gateway()
        .get_user(
            "ttl = '50ms'\nstale_if_error = '60s'\ntimeout = '400ms'\nfailure_exceptions = ['Unavailable']",
        )
        .rule("UserService.renameUser", "timeout = '400ms'")
}

fn text_has(words: &'static [&'static str]) -> impl Fn(&Message) -> bool {
    move |reply| reply.is_exception() && words.iter().all(|word| reply.exception_text().contains(word))
}

#[test]
fn unreachable() {
    let (mut gone, there) = (backend(), backend());
    gone.kill();
    let alone = impatient().endpoint(gone.address()).start();
    let text = alone.client().get_user(7).exception_text();
    assert!(text.contains("users") && text.contains("unreachable"), "{text}");
    assert_eq!(alone.faults("unreachable"), 1);
    // No byte of it was sent, so even a call that is not idempotent goes to another endpoint.
    let both = impatient().endpoint(gone.address()).endpoint(there.address()).start();
    let mut client = both.client();
    for _ in 0..10 {
        assert!(!client.call(rename_user(7, "x")).is_exception());
    }
    assert_eq!(there.calls(), 10);
}

#[test]
fn down() {
    let mut gone = backend();
    let gateway =
        impatient().backend("ejection_failures = 1\nejection_time = '20s'").endpoint(gone.address()).start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    gone.kill();
    pass(ms(60));
    eventually(|| {
        client.get_user(8);
        gateway.faults("down") > 0
    });
    let text = client.get_user(8).exception_text();
    assert!(text.contains("users") && text.contains("down"), "{text}");
    assert_eq!(client.get_user(7).email(), known);
    gateway.logs(&["endpoint ejected", "\"why\":\"refused\""]);
    // A client is named, and so is the method as it calls it.
    gateway.logs(&["\"failed\"", "backend users is down", "\"client\":\"127.0.0.1:", "UserService.getUser"]);
    let is_told = |line: &String| line.contains("\"stale_if_error\"") && line.contains("is down");
    assert!(!gateway.log().iter().any(is_told), "the outage's own lines tell of it");
}

#[test]
fn busy() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let bounds = "max_connections = 1\nmax_waiting = 1";
    let patient = gateway().get_user("ttl = '60s'\ntimeout = '20s'");
    let gateway = patient.backend(bounds).endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send_together(vec![get_user(1), get_user(2), get_user(3), get_user(4)]);
    eventually(|| gateway.faults("busy") == 2);
    backend.does("getUser", Act::User);
    backend.release();
    let replies: Vec<_> = (0..4).map(|_| client.receive()).collect();
    let refused: Vec<_> = replies.iter().filter(|reply| reply.is_exception()).collect();
    assert_eq!(refused.len(), 2, "{replies:?}");
    assert!(refused.iter().all(|reply| reply.exception_text().contains("busy")), "{refused:?}");
    assert_eq!(backend.connections(), 1);
}

#[test]
fn timeout() {
    row("timeout", Act::Silence)
        .lets_old_entries_answer()
        .says(text_has(&["users", "did not answer"]))
        .blames_the_method()
        .tried_again_if_idempotent();
}

#[test]
fn closed() {
    row("closed", Act::Close)
        .lets_old_entries_answer()
        .says(text_has(&["users", "closed the connection"]))
        .blames_nobody()
        .tried_again_if_idempotent();
}

#[test]
fn closed_within_a_reply() {
    let backend = backend();
    backend.does("getUser", Act::HalfReply);
    let gateway = impatient().endpoint(backend.address()).start();
    let mut client = gateway.client();
    assert!(client.get_user(7).is_exception());
    assert_eq!(gateway.faults("closed") + gateway.faults("garbage"), 1);
    // Nothing of the half was kept.
    backend.does("getUser", Act::User);
    assert_eq!(client.get_user(7).user_id(), 7);
}

#[test]
fn garbage_that_cannot_be_read() {
    garbage(Act::Bytes(b"\0\0\0\x09not thrift".to_vec()));
}

#[test]
fn garbage_under_another_seqid() {
    garbage(Act::OtherSeqid);
}

#[test]
fn garbage_under_another_name() {
    garbage(Act::OtherName);
}

#[test]
fn garbage_of_another_type() {
    garbage(Act::OtherKind);
}

#[track_caller]
fn garbage(act: Act) {
    row("garbage", act)
        .lets_old_entries_answer()
        .says(text_has(&["users", "no proper reply"]))
        .blames_the_method()
        .tried_again_if_idempotent();
}

#[test]
fn oversized() {
    let deep = (0..70).fold(Value::Struct(vec![]), |inner, _| Value::Struct(vec![(1, inner)]));
    row("oversized", Act::Reply(vec![(0, deep)]))
        .lets_old_entries_answer()
        .says(text_has(&["users", "too large", "deeper than 64"]))
        .blames_nobody()
        .never_tried_again();
}

#[test]
fn exception_of_the_service() {
    row("exception", Act::Exception(INTERNAL_ERROR, "out of disk"))
        .lets_old_entries_answer()
        .says(|reply| {
            reply.exception_kind() == INTERNAL_ERROR && reply.exception_text().contains("out of disk")
        })
        .blames_nobody()
        .never_tried_again();
}

#[test]
fn exception_of_the_caller() {
    row("exception", Act::Exception(UNKNOWN_METHOD, "unheard of"))
        .reaches_the_client()
        .says(|reply| {
            reply.exception_kind() == UNKNOWN_METHOD && reply.exception_text().contains("unheard of")
        })
        .blames_nobody()
        .never_tried_again();
}

#[test]
fn missing_result() {
    let row = row("missing_result", Act::Reply(vec![]));
    let row =
        row.lets_old_entries_answer().says(|reply| reply.kind == Kind::Reply && reply.fields.is_empty());
    row.blames_nobody();
}

#[test]
fn failure_exception() {
    row("failure", Act::Reply(unavailable("no database")))
        .lets_old_entries_answer()
        .says(|reply| reply.fields == unavailable("no database"))
        .blames_the_method();
}

#[test]
fn crowded() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let rule = "ttl = '60s'\ntimeout = '20s'";
    let crowd = gateway().get_user(rule).section("flights", "max_waiters = 1");
    let gateway = crowd.endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send_together(vec![get_user(7); 8]);
    eventually(|| backend.calls() == 1 && gateway.faults("crowded") > 0);
    backend.release();
    let replies: Vec<_> = (0..8).map(|_| client.receive()).collect();
    let refused = replies.iter().filter(|reply| reply.is_exception()).count() as u64;
    assert_eq!(refused, gateway.faults("crowded"));
    assert!(refused < 8);
    assert_eq!(backend.calls(), 1);
}

#[test]
fn untranslatable_call() {
    let backend = backend();
    let gateway = impatient().endpoint(backend.address()).start();
    let mut client = gateway.client_speaking(Wire::of(Transport::Framed, Protocol::Compact));
    client.get_user(7);
    let odd = vec![(1, Value::I64(7)), (9, Value::List(vec![Value::OddBool(7)]))];
    let text = client.call(Message::call("getUser", 0, odd)).exception_text();
    assert!(
        text.contains("call has no spelling in binary") && text.contains("field 9: a boolean is 7"),
        "{text}"
    );
    assert_eq!((gateway.faults("untranslatable_call"), backend.calls()), (1, 1));
}

#[test]
fn untranslatable_reply() {
    let backend = backend();
    let gateway = impatient().endpoint(backend.address()).start();
    let mut client = gateway.client_speaking(Wire::of(Transport::Framed, Protocol::Compact));
    backend.does("getUser", Act::Reply(vec![(0, Value::List(vec![Value::OddBool(7)]))]));
    let text = client.get_user(7).exception_text();
    assert!(text.contains("reply has no spelling in compact") && text.contains("a boolean is 7"), "{text}");
    assert_eq!((gateway.faults("untranslatable_reply"), backend.calls()), (1, 1));
}
