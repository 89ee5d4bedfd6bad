//! What the simulated network promises.

use super::*;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

fn address() -> SocketAddr {
    "10.0.0.1:9090".parse().unwrap()
}

const DELAY: Duration = Duration::from_millis(10);

fn slow(piece_max: usize) -> [Path; 2] {
    [Path { delay: DELAY, jitter: DELAY, piece_max, seed: 7, ..Path::default() }; 2]
}

/// Both ends of one connection.
async fn pair(network: &Simulated) -> (Socket, Socket) {
    let mut accepted = network.listen(address(), 1);
    let near = network.dial_socket(address()).await.unwrap();
    (near, accepted.recv().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn what_is_dialled_arrives_at_the_listener() {
    let network = Simulated::default();
    let mut accepted = network.listen(address(), 1);
    let mut near = network.dial(address()).await.unwrap();
    let mut far = accepted.recv().await.unwrap();
    near.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

#[tokio::test(start_paused = true)]
async fn an_address_nobody_listens_on_refuses() {
    let network = Simulated::default();
    let refused = network.dial(address()).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    drop(network.listen(address(), 1));
    let refused = network.dial(address()).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_hangs() {
    let network = Simulated::default();
    let _accepted = network.listen(address(), 1);
    let _first = network.dial_socket(address()).await.unwrap();
    assert!(tokio::time::timeout(DELAY, network.dial_socket(address())).await.is_err());
}

#[tokio::test]
async fn names_resolve_as_told() {
    let network = Simulated::default();
    network.name("db", vec![address().ip()]);
    assert_eq!(network.resolve("db", 9090).await.unwrap(), vec![address()]);
    assert_eq!(network.resolve("10.0.0.1", 9090).await.unwrap(), vec![address()]);
    assert!(network.resolve("elsewhere", 9090).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn bytes_come_late_in_pieces_and_in_order() {
    let network = Simulated::default();
    network.weather(|_| slow(10));
    let (mut near, mut far) = pair(&network).await;
    let sent: Vec<u8> = (0..100).collect();
    let began = Instant::now();
    near.write_all(&sent).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    drop(near);
    let (mut heard, mut reads) = (Vec::new(), 0);
    while far.read_buf(&mut heard).await.unwrap() > 0 {
        assert!(began.elapsed() >= DELAY);
        reads += 1;
    }
    assert_eq!(heard, sent);
    assert!(reads > 2, "{reads}");
    assert!(began.elapsed() <= 3 * DELAY);
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_connection_still_answers() {
    let network = Simulated::default();
    let (mut near, mut far) = pair(&network).await;
    near.write_all(b"ask").await.unwrap();
    near.shutdown().await.unwrap();
    let link = &network.links()[0];
    assert!(link.is_shut(Direction::Out) && !link.is_shut(Direction::Back));
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    far.write_all(b"answer").await.unwrap();
    drop(far);
    near.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"askanswer");
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_makes_the_writer_wait() {
    let network = Simulated::default();
    network.weather(|_| [Path { buffer: 4, ..Path::default() }; 2]);
    let (mut near, mut far) = pair(&network).await;
    assert!(tokio::time::timeout(DELAY, near.write_all(b"hello")).await.is_err());
    let mut heard = [0; 4];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(near.write(b"o").await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_loses_what_was_on_its_way() {
    let network = Simulated::default();
    network.weather(|_| slow(usize::MAX));
    let (mut near, mut far) = pair(&network).await;
    near.write_all(b"lost").await.unwrap();
    network.links()[0].cut();
    assert_eq!(far.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(near.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(near.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    drop((near, far));
    assert!(network.links().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_direction_goes_on_when_it_is_let() {
    let network = Simulated::default();
    let (mut near, mut far) = pair(&network).await;
    let link = network.links().remove(0);
    link.stall(Direction::Out, true);
    near.write_all(b"!").await.unwrap();
    assert!(tokio::time::timeout(DELAY, far.read_u8()).await.is_err());
    link.stall(Direction::Out, false);
    assert_eq!(far.read_u8().await.unwrap(), b'!');
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_peer_gets_is_answered_with_a_reset() {
    let network = Simulated::default();
    network.weather(|_| slow(usize::MAX));
    let (mut near, far) = pair(&network).await;
    drop(far);
    assert_eq!(near.write(b"nobody hears this").await.unwrap(), 17);
    tokio::time::sleep(3 * DELAY).await;
    assert!(near.write(b"nor this").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_tap_hears_what_is_written_and_read() {
    let network = Simulated::default();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&heard);
    network.tap(move |route, direction, passage| {
        log.lock().unwrap().push(format!("{} {direction:?} {passage:?}", route.number));
    });
    let (mut near, mut far) = pair(&network).await;
    near.write_all(b"!").await.unwrap();
    far.read_u8().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["1 Out Written([33])", "1 Out Read([33])"]);
}
