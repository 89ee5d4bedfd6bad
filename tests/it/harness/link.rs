//! A line to a server, which a test cuts, slows and closes. What was sent into one that is cut comes late.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Whole,
    /// It comes so much later.
    Slow(Duration),
    /// It comes when the line is whole again. Nobody is told.
    Cut,
    /// It is lost: connections are closed, also those that are opened.
    Closed,
}

/// Runs until the test ends.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    line: Line,
    open: Vec<TcpStream>,
}

/// A line to this server.
pub(crate) fn link(server: SocketAddr) -> Link {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Mutex::new(State { line: Line::Whole, open: Vec::new() });
    let shared = Arc::new(Shared { server, state, changed: Condvar::new() });
    let accepts = Arc::clone(&shared);
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| accepts.accept(stream)));
    Link { address, shared }
}

impl Link {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Is so from now on.
    pub(crate) fn is(&self, line: Line) {
        let mut state = self.shared.state();
        state.line = line;
        if line == Line::Closed {
            state.open.drain(..).for_each(close);
        }
        self.shared.changed.notify_all();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.is(Line::Closed);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn accept(self: &Arc<Self>, client: TcpStream) {
        let mut state = self.state();
        let Ok(server) = TcpStream::connect(self.server) else { return };
        if state.line == Line::Closed {
            return;
        }
        for [from, to] in [[&client, &server], [&server, &client]] {
            from.set_nodelay(true).unwrap();
            let (shared, from, to) = (Arc::clone(self), from.try_clone().unwrap(), to.try_clone().unwrap());
            thread::spawn(move || shared.carry(from, to));
        }
        state.open.extend([client, server]);
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            self.passes();
            if to.write_all(&piece[..count]).is_err() {
                break;
            }
        }
        [from, to].into_iter().for_each(close);
    }

    /// Waits for as long as the line takes.
    fn passes(&self) {
        let state = self.changed.wait_while(self.state(), |state| state.line == Line::Cut).unwrap();
        let line = state.line;
        drop(state);
        if let Line::Slow(time) = line {
            thread::sleep(time);
        }
    }
}

/// Fails only where the other side was quicker.
fn close(stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}
