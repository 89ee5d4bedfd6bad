//! Compressed values in a real Redis.

use super::*;

#[tokio::test]
async fn what_is_compressed_takes_less_room_and_is_read_by_all() {
    let server = Server::start();
    let compressing = gateway_with(&server, |settings| settings.codec.compress_above = Some(100)).await;
    let plain = gateway(&server).await;
    for length in [1_000, 100_000, 5 << 20] {
        let slot = holding(Bytes::from(vec![7; length]));
        assert_eq!(compressing.keeps(slot.clone()).await, Write::Written);
        let there: usize = server.ask(redis::cmd("STRLEN").arg(compressing.redis_key(KEY)));
        assert!(there < 1_000, "{length} bytes take {there}");
        assert!(compressing.get(KEY).await.as_ref() == Some(&slot), "{length} bytes");
        assert!(plain.get(KEY).await == Some(slot), "{length} bytes");
    }
}
