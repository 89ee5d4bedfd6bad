//! Gateways of two versions on one Redis.

use super::*;

/// A store that writes this format.
async fn writing(server: &Server, format: Format) -> Redis {
    gateway_with(server, |settings| settings.codec.format = format).await
}

#[tokio::test]
async fn gateways_that_write_two_formats_share_what_they_have() {
    let server = Server::start();
    let (older, newer) = (writing(&server, Format::Three).await, writing(&server, Format::Four).await);
    for (written, (writer, reader)) in (0..).zip([(&older, &newer), (&newer, &older), (&older, &newer)]) {
        assert_eq!(writer.keeps(born(NOW + written)).await, Write::Written);
        assert_eq!(reader.get(KEY).await, Some(born(NOW + written)));
        assert_eq!(reader.keeps(born(NOW + written - 1)).await, Write::Older, "in whatever format");
    }
    let removed = Slot::Tombstone(Millis(NOW + 9));
    assert_eq!(older.keeps(removed.clone()).await, Write::Written);
    assert_eq!(newer.get(KEY).await, Some(removed));
    assert_eq!(newer.keeps(born(NOW + 9)).await, Write::Tombstone);
    let keys: Vec<String> = server.ask(redis::cmd("KEYS").arg("larder:.*"));
    assert_eq!(keys, [newer.redis_key(KEY)], "one key, whoever writes");
}

#[tokio::test]
async fn what_a_format_to_come_holds_stays_until_there_is_something_younger() {
    let server = Server::start();
    let store = gateway(&server).await;
    let to_come = [&b"LRD\x05"[..], &(NOW + 1).to_be_bytes(), &[0], b"whatever it may be"].concat();
    let _: () = server.ask(redis::cmd("SET").arg(store.redis_key(KEY)).arg(&to_come));
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.counts.reads(Read::Unreadable(Unreadable::Format(5))), 1);
    assert_eq!(store.keeps(born(NOW)).await, Write::Older);
    let there: Vec<u8> = server.ask(redis::cmd("GET").arg(store.redis_key(KEY)));
    assert_eq!(there, to_come);
    assert_eq!(store.keeps(born(NOW + 1)).await, Write::Written);
    assert_eq!(store.get(KEY).await, Some(born(NOW + 1)));
}
