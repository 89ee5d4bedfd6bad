//! Calls of clients that speak another protocol than the backend.

use bytes::Bytes;
use futures_util::future::join;

use super::asking::field;
use super::world::*;

/// A call in compact, whose arguments no reader of binary could read to their end.
fn compact(call: Call) -> Call {
    Call { protocol: Protocol::Compact, body: field(Protocol::Compact, 1).into(), ..call }
}

/// A boolean that is neither true nor false, as the one element of a list.
fn untranslatable(call: Call) -> Call {
    let body = Bytes::from_static(&[0x19, 0x11, 7, 0]);
    Call { protocol: Protocol::Compact, body, ..call }
}

#[tokio::test(start_paused = true)]
async fn whichever_way_a_call_goes_it_goes_in_the_backends_protocol() {
    let mut world = World::of(1);
    let backend = world.start();
    for sharing in [Sharing::Shared, Sharing::PerClient] {
        backend.reload(Settings { connections: sharing, ..world.settings.clone() });
        let client = Client::of(&backend);
        let answer = backend.answer(&compact(call_of("repeatable")), &idempotent(), None).await.unwrap();
        assert_eq!((answer.protocol, answer.said), (Protocol::Binary, Said::Result));
        client.run(Place::Alone, &compact(call_of("once")), None).await.unwrap();
        let (first, second) = (compact(call_of("first")), compact(call_of("second")));
        let run =
            join(client.run(Place::First, &first, None), client.run(Place::Behind, &second, None)).await;
        assert!(run.0.is_ok() && run.1.is_ok(), "{run:?}");
        client.tell_within(&compact(oneway("told")), None).await.unwrap();
        client.run(Place::Alone, &compact(call_of("behind")), None).await.unwrap();
    }
    let names = ["repeatable", "once", "first", "second", "told", "behind"];
    assert_eq!(world.servers[0].methods(), [names, names].concat());
}

#[tokio::test(start_paused = true)]
async fn what_has_no_spelling_there_is_not_sent() {
    let mut world = World::of(1);
    let backend = world.start();
    for sharing in [Sharing::Shared, Sharing::PerClient] {
        backend.reload(Settings { connections: sharing, ..world.settings.clone() });
        let client = Client::of(&backend);
        let faults = [
            backend.answer(&untranslatable(call()), &idempotent(), None).await.unwrap_err(),
            client.run(Place::Alone, &untranslatable(call()), None).await.unwrap_err(),
            client.run(Place::First, &untranslatable(call()), None).await.unwrap_err(),
            client.tell_within(&untranslatable(oneway("told")), None).await.unwrap_err(),
        ];
        assert_eq!(faults.map(|fault| fault.as_str()), ["untranslatable_call"; 4]);
        let before = world.calls();
        client.run(Place::Alone, &call(), None).await.unwrap();
        assert_eq!((world.calls(), client.session.is_lost()), (before + 1, false));
    }
    assert_eq!(world.calls(), 2);
}
