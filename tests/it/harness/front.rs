//! What stands between the gateway and a server: a load balancer in TCP mode, which accepts whatever becomes of the server behind it, and
//! breaks or slices what it carries where a test says so.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it does with a connection that it has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// Carries bytes to this server and back, until either side ends.
    To(SocketAddr),
    /// Carries so many bytes of what this server says, and ends it then.
    Cuts(SocketAddr, usize),
    /// Carries one byte after the other to this server and back.
    Slices(SocketAddr),
    /// Closes it.
    Closes,
    /// Keeps it, and says nothing.
    Silent,
}

/// Runs until the test ends.
#[derive(Debug)]
pub(crate) struct Balancer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    front: Front,
    open: Vec<TcpStream>,
}

/// A load balancer before a server.
pub(crate) fn balancer(server: SocketAddr) -> Balancer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(Mutex::new(State { front: Front::To(server), open: Vec::new() }));
    let shared = Arc::clone(&state);
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| accept(stream, &shared)));
    Balancer { address, state }
}

impl Balancer {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does so from now on. Connections that it has are closed.
    pub(crate) fn does(&self, front: Front) {
        let mut state = self.state.lock().unwrap();
        state.front = front;
        state.open.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn accept(client: TcpStream, state: &Mutex<State>) {
    let mut state = state.lock().unwrap();
    match state.front {
        Front::Closes => return,
        Front::Silent => {}
        Front::To(server) => join(&client, server, |from, to| io::copy(from, to).map(drop)),
        Front::Slices(server) => join(&client, server, slice),
        Front::Cuts(server, most) => join(&client, server, move |from, to| {
            let most = if from.peer_addr()? == server { most as u64 } else { u64::MAX };
            io::copy(&mut from.try_clone()?.take(most), to).map(drop)
        }),
    }
    state.open.push(client);
}

/// Carries what either says to the other, each in a thread of its own.
fn join(client: &TcpStream, server: SocketAddr, carry: impl Carry) {
    let Ok(server) = TcpStream::connect(server) else { return drop(client.shutdown(Shutdown::Both)) };
    for stream in [client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (client, back) =
        (client.try_clone().unwrap(), (server.try_clone().unwrap(), client.try_clone().unwrap()));
    for (mut from, mut to) in [(client, server), back] {
        let carry = carry.clone();
        thread::spawn(move || {
            let _ended = carry(&mut from, &mut to);
            // Either fails only where the other side was quicker.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
}

/// How bytes are carried from one to the other, until one of them ends.
trait Carry: Fn(&mut TcpStream, &mut TcpStream) -> io::Result<()> + Clone + Send + 'static {}
impl<T: Fn(&mut TcpStream, &mut TcpStream) -> io::Result<()> + Clone + Send + 'static> Carry for T {}

fn slice(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while from.read(&mut byte)? > 0 {
        to.write_all(&byte)?;
    }
    Ok(())
}
