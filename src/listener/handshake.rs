//! A client that is to speak TLS: its handshake, bounded in time, and then its connection like any other.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::end::End;
use super::held::Share;
use super::{Front, client};
use crate::accept::{Asker, Client};
use crate::tls::{Accepted, Failed, Server};

/// Serves a client that speaks TLS, or tells why it does not.
pub(super) async fn serve<S: Client>(
    tls: &Server,
    stream: S,
    (peer, front, share): (Asker, &Arc<Front>, Share),
    stop: &CancellationToken,
) -> End {
    match greet(tls, stream, front.settings.message_time, stop).await {
        Ok(stream) => client::serve(stream, (peer, front, share), stop).await,
        Err(failed) => {
            front.strangers.tell_failed(front.gateway.counts.listener(), peer, &failed);
            End::Handshake(failed)
        }
    }
}

/// A handshake is a message like any other: it is begun, and to be finished in time. Once the gateway stops, it is given a moment.
async fn greet<S: Client>(
    tls: &Server,
    stream: S,
    longest: Duration,
    stop: &CancellationToken,
) -> Result<Accepted<S>, Failed> {
    let stopped = async {
        stop.cancelled().await;
        sleep(AT_STOP).await;
    };
    tokio::select! {
        biased;
        greeted = timeout(longest, tls.accept(stream)) => match greeted {
            Ok(greeted) => greeted.map_err(|error| Failed::of(&error)),
            Err(_) => Err(Failed::Late),
        },
        () = stopped => Err(Failed::Late),
    }
}

/// How long a client has for its handshake when the gateway is told to stop.
const AT_STOP: Duration = Duration::from_secs(1);
