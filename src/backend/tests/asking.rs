//! Calls, and who makes them.

use bytes::Bytes;

use super::world::*;
use crate::wire::message::Kind;

/// A struct with one byte in field `id`.
pub(super) fn field(protocol: Protocol, id: i16) -> Vec<u8> {
    match protocol {
        Protocol::Binary => [&[3][..], &id.to_be_bytes(), &[7, 0]].concat(),
        Protocol::Compact => vec![3, (id << 1) as u8, 7, 0],
    }
}

/// A struct with a text of this length in field 0, in binary.
pub(super) fn text(length: usize) -> Vec<u8> {
    let head = [&[11, 0, 0][..], &u32::try_from(length).unwrap().to_be_bytes()].concat();
    [head, vec![b'x'; length], vec![0]].concat()
}

/// A call of `getUser` without arguments.
pub(super) fn call() -> Call {
    Call {
        client: ClientId::default(),
        protocol: Protocol::Binary,
        name: Bytes::from_static(b"Users:getUser"),
        kind: Kind::Call,
        body: Bytes::from_static(&[0]),
        identity: None,
        info: None,
    }
}

/// A call of `name`.
pub(super) fn call_of(name: &str) -> Call {
    Call { name: Bytes::copy_from_slice(name.as_bytes()), ..call() }
}

/// A call of `name` that expects no reply.
pub(super) fn oneway(name: &str) -> Call {
    Call { name: Bytes::copy_from_slice(name.as_bytes()), kind: Kind::Oneway, ..call() }
}

impl Backend {
    /// Asks for a reply, by what the call says of its method.
    pub(super) async fn answer(
        &self,
        call: &Call,
        terms: &Terms,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        self.seek(Need::Bare, call, terms, timeout).await
    }

    /// Asks for a reply that nobody waits for.
    pub(super) async fn refresh(&self, call: &Call) -> Result<Answer, Fault> {
        self.seek(Need::Refresh, call, &idempotent(), SECOND).await
    }

    /// Asks for a reply to a call that has a key, and whose method is idempotent.
    pub(super) async fn answer_keyed(&self, call: &Call, key: &[u8]) -> Result<Answer, Fault> {
        let (method, terms, demand) = (method(self, call), idempotent(), Demand::new(Need::Bare));
        let method = method.of(&call.name);
        let question = Question { call, terms: &terms, method, key: Some(key), demand: &demand };
        self.ask(question, None).await
    }

    async fn seek(
        &self,
        need: Need,
        call: &Call,
        terms: &Terms,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        let (method, demand) = (method(self, call), Demand::new(need));
        self.ask(Question { call, terms, method: method.of(&call.name), key: None, demand: &demand }, timeout)
            .await
    }
}

/// Shows that a server leaves connections open for long, by three calls on one.
pub(super) async fn prove_patience(backend: &Backend) {
    for _ in 0..3 {
        backend.answer(&call(), &idempotent(), None).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

pub(super) fn method(backend: &Backend, call: &Call) -> MethodOf {
    let name = std::str::from_utf8(&call.name).unwrap();
    backend.methods().named(&name.replace(':', ".").into())
}

/// A client with connections of its own, as far as it has any.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) session: Arc<Session>,
    backend: Arc<Backend>,
}

impl Client {
    pub(super) fn of(backend: &Arc<Backend>) -> Self {
        Self { session: Arc::new(backend.session()), backend: Arc::clone(backend) }
    }

    /// Sends a call without a reply.
    pub(super) async fn tell(&self, name: &str) -> Result<(), Fault> {
        self.tell_within(&oneway(name), None).await
    }

    pub(super) async fn tell_within(&self, call: &Call, timeout: Option<Duration>) -> Result<(), Fault> {
        let (method, terms) = (method(&self.backend, call), answering(Answering::Unsure));
        let demand = Demand::new(Need::Bare);
        let question =
            Question { call, terms: &terms, method: method.of(&call.name), key: None, demand: &demand };
        let told = self.session.ask(&self.backend, question, timeout, Place::Alone).await;
        told.map(|answer| assert!(answer.is_none()))
    }

    pub(super) async fn ask(&self, terms: &Terms, timeout: Option<Duration>) -> Result<Answer, Fault> {
        self.ask_at(Place::Alone, &call(), terms, timeout).await
    }

    /// Makes a call of a method that is not known to be idempotent, in a run.
    pub(super) async fn run(
        &self,
        place: Place,
        call: &Call,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        self.ask_at(place, call, &once(), timeout).await
    }

    async fn ask_at(
        &self,
        place: Place,
        call: &Call,
        terms: &Terms,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        let (method, demand) = (method(&self.backend, call), Demand::new(Need::Bare));
        let question = Question { call, terms, method: method.of(&call.name), key: None, demand: &demand };
        self.session.ask(&self.backend, question, timeout, place).await.map(Option::unwrap)
    }
}

pub(super) fn once() -> Terms {
    Terms::default()
}

pub(super) fn idempotent() -> Terms {
    Terms { repeat: Repeat::Idempotent, ..Terms::default() }
}

pub(super) fn answering(answer: Answering) -> Terms {
    Terms { answer, ..Terms::default() }
}

pub(super) const SECOND: Option<Duration> = Some(Duration::from_secs(1));
