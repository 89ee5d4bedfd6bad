//! What a reply tells of itself beside its message: where it comes from, how old it is, and what the cache had to do with it.

use crate::gateway::reply::Reply;
use crate::wire::header::info::Info;

/// The info headers of a reply: Larder's own, and those of a backend behind them.
pub(super) fn info(reply: &Reply) -> Info {
    let mut info = Info::default();
    info.push(SOURCE, reply.outcome.source().as_bytes());
    if let Some(age) = reply.age {
        info.push(AGE, age.as_millis().to_string().as_bytes());
    }
    let theirs = reply.info.as_deref();
    let own = reply.outcome.cache_status();
    // Each cache on the way adds its own behind those nearer to the origin.
    match theirs.and_then(|theirs| theirs.get(CACHE_STATUS)) {
        Some(nearer) => info.push(CACHE_STATUS, &[nearer, b", ", own.as_bytes()].concat()),
        None => info.push(CACHE_STATUS, own.as_bytes()),
    }
    if let Some(theirs) = theirs {
        info.fill_from(theirs);
    }
    info
}

/// Who has answered.
const SOURCE: &[u8] = b"x-larder-source";
/// For how many milliseconds what answered was kept.
const AGE: &[u8] = b"x-larder-age-ms";
/// The same in the words of RFC 9211.
const CACHE_STATUS: &[u8] = b"cache-status";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Answer, Said};
    use crate::outcome::Outcome;
    use crate::wire::Protocol;
    use bytes::Bytes;
    use std::sync::Arc;

    #[test]
    fn a_passed_reply_has_its_backends_headers_behind_larders_own() {
        let mut theirs = Info::default();
        theirs.push(b"Cache-Status", b"origin; hit");
        theirs.push(b"x-larder-source", b"made up");
        theirs.push(b"region", b"eu");
        let (protocol, info) = (Protocol::Binary, Some(Arc::new(theirs)));
        let answer = Answer { said: Said::Nothing, protocol, body: Bytes::new(), info };
        let reply = Reply::passed(answer, Outcome::Passed);
        let told = super::info(&reply);
        assert_eq!(
            told.iter().collect::<Vec<_>>(),
            [
                (&b"x-larder-source"[..], &b"backend"[..]),
                (b"cache-status", b"origin; hit, larder; fwd=bypass"),
                (b"region", b"eu"),
            ]
        );
    }
}
