//! The end of a connection at a message boundary, by the gateway: so that its client sees an end, and nothing that looks like a fault.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::accept::Client;

/// Says that nothing more is written, and drops what comes until the client has closed too, or might have seen it.
///
/// A call may be on its way already. A socket closed over it answers with a reset, which most clients do not tell from a fault, and which
/// may overtake replies. Where the client sees an end in place of a reply, its call was not read and had no effect.
pub(super) async fn part(stream: &mut impl Client) {
    let mut dropped = [0; 1024];
    let parted = async {
        stream.shutdown().await?;
        while stream.read(&mut dropped).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Whether it has closed, broken or said nothing, it is over.
    let _ = timeout(LINGER, parted).await;
}

/// More than a round trip to any client takes. One that is idle learns of the end later, from its own system.
const LINGER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{Accept, Bind, Bound};
    use crate::dial::Simulated;
    use crate::dial::simulated::{Path, Socket};
    use tokio::time::Instant;

    /// Both ends of a connection on which everything takes 20 ms.
    async fn connection() -> (Socket, Socket) {
        let network = Simulated::default();
        let path = Path { delay: Duration::from_millis(20), ..Path::default() };
        network.weather(move |_| [path; 2]);
        let door = network.bind("it", "10.0.0.1:9090".parse().unwrap()).unwrap();
        let (client, accepted) = tokio::join!(network.dial_socket(door.address().unwrap()), door.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_call_is_on_its_way_sees_an_end_and_no_fault() {
        let (mut client, mut stream) = connection().await;
        let calling = async {
            client.write_all(b"a call").await.unwrap();
            let end = client.read(&mut [0]).await;
            drop(client);
            end
        };
        let parting = async {
            part(&mut stream).await;
            drop(stream);
        };
        let (end, ()) = tokio::join!(calling, parting);
        assert_eq!(end.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_longer_than_a_round_trip_takes() {
        let ((mut client, mut idle), began) = (connection().await, Instant::now());
        part(&mut idle).await;
        assert_eq!((client.read(&mut [0]).await.unwrap(), began.elapsed()), (0, LINGER));
        let ((client, mut left), began) = (connection().await, Instant::now());
        drop(client);
        part(&mut left).await;
        assert_eq!(began.elapsed(), Duration::from_millis(20));
    }
}
