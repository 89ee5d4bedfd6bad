//! A client that says exactly the bytes it is told to.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

use socket2::{Domain, SockAddr, Socket, Type};

use super::thrift::{Message, Wire};

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    wire: Wire,
    next_seqid: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr, wire: Wire) -> Self {
        Self::try_connect(address, wire)
            .unwrap_or_else(|error| panic!("{address} cannot be reached: {error}"))
    }

    /// A connection, if there is somebody who accepts it.
    pub(crate) fn try_connect(address: SocketAddr, wire: Wire) -> io::Result<Self> {
        Ok(Self::over(TcpStream::connect(address)?, wire))
    }

    /// A connection from this address.
    pub(crate) fn connect_from(from: IpAddr, address: SocketAddr, wire: Wire) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::from(SocketAddr::from((from, 0)))).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(socket.into(), wire)
    }

    fn over(stream: TcpStream, wire: Wire) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        Self { stream, wire, next_seqid: 1 }
    }

    /// Makes a call and reads its reply, which must have the call's seqid and the call's name.
    #[track_caller]
    pub(crate) fn call(&mut self, call: Message) -> Message {
        let name = call.name.rsplit(':').next().unwrap().to_owned();
        let seqid = self.send(call);
        let reply = self.receive();
        assert_eq!(
            (reply.seqid, reply.name.as_str()),
            (seqid, name.as_str()),
            "the reply is to another call"
        );
        reply
    }

    /// Makes a call and reads its reply, if the connection lasts for as long.
    pub(crate) fn try_call(&mut self, call: Message) -> Option<Message> {
        let seqid = self.next_seqid;
        self.next_seqid += 1;
        self.try_send_as(seqid, call).ok()?;
        let reply = self.try_receive().ok()??;
        assert_eq!(reply.seqid, seqid, "the reply is to another call");
        Some(reply)
    }

    /// Sends a call under a seqid of its own, and gives that.
    #[track_caller]
    pub(crate) fn send(&mut self, call: Message) -> i32 {
        let seqid = self.next_seqid;
        self.next_seqid += 1;
        self.send_as(seqid, call);
        seqid
    }

    /// Sends a call under this seqid.
    #[track_caller]
    pub(crate) fn send_as(&mut self, seqid: i32, call: Message) {
        let bytes = Message { seqid, ..call }.bytes(self.wire);
        self.send_bytes(&bytes);
    }

    /// Sends a call under this seqid, if the connection takes it.
    pub(crate) fn try_send_as(&mut self, seqid: i32, call: Message) -> io::Result<()> {
        self.stream.write_all(&Message { seqid, ..call }.bytes(self.wire))
    }

    /// Sends several calls in one write, under seqids from 1.
    #[track_caller]
    pub(crate) fn send_together(&mut self, calls: Vec<Message>) {
        let numbered = (1..).zip(calls).map(|(seqid, call)| Message { seqid, ..call }.bytes(self.wire));
        self.send_bytes(&numbered.flatten().collect::<Vec<_>>());
    }

    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next reply.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Message {
        match self.try_receive() {
            Ok(Some(message)) => message,
            Ok(None) => panic!("the connection was closed instead of a reply"),
            Err(error) => panic!("no reply: {error}"),
        }
    }

    /// The next reply, or nothing if the connection was closed at a message's boundary.
    pub(crate) fn try_receive(&mut self) -> io::Result<Option<Message>> {
        Message::read(&mut self.stream, self.wire)
    }

    /// The next frame, without its length.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        frame
    }

    /// Says that no more calls follow, while replies may.
    pub(crate) fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Whether the other side closes the connection without another byte.
    pub(crate) fn is_closed_unanswered(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
        }
    }

    /// Reads whatever comes until the other side closes.
    pub(crate) fn drain(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset ends the connection as well as a close does.
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }

    /// The connection itself, for what no other word here says.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}
