//! A load balancer in TCP mode: it accepts whatever becomes of the server behind it.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it does with a connection that it has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// Carries bytes to this server and back, until either side ends.
    To(SocketAddr),
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
        Front::To(server) => {
            let Ok(server) = TcpStream::connect(server) else { return };
            carry(client.try_clone().unwrap(), server.try_clone().unwrap());
            carry(server, client.try_clone().unwrap());
        }
    }
    state.open.push(client);
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ended = io::copy(&mut from, &mut to);
        // Either fails only where the other side was quicker.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
