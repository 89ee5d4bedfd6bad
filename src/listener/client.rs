//! One client, as soon as its bytes can be read: on an ordinary connection, or over HTTP where it begins so.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Front;
use super::connection::Connection;
use super::end::End;
use super::held::Share;
use super::http::{self, Poster};
use crate::accept::{Asker, Client};

/// Serves a client until it, the gateway or a fault ends that.
pub(super) async fn serve<S: Client>(
    stream: S,
    (client, front, share): (Asker, &Arc<Front>, Share),
    stop: &CancellationToken,
) -> End {
    let mut connection = Connection::new(stream, client, Arc::clone(front), share);
    let end = connection.serve(stop).await;
    if end != End::Posts {
        return end;
    }
    let (stream, read, share) = connection.into_parts();
    let poster = Poster { stream, read, client, front: Arc::clone(front), share };
    // In a box, because few clients speak HTTP.
    Box::pin(http::serve(poster, stop)).await
}
