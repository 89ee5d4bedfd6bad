//! Bytes and open descriptors over a Unix socket: one byte at a time, each with a descriptor or without.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Sends a byte, and with it a descriptor, of which the receiver gets one of its own.
pub(super) async fn send(
    stream: &UnixStream,
    byte: u8,
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let passed: Vec<_> = descriptor.into_iter().collect();
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !passed.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&passed));
        }
        Ok(sendmsg(stream, &[IoSlice::new(&[byte])], &mut control, SendFlags::NOSIGNAL)?)
    });
    sent.await.map(drop)
}

/// Receives the next byte, and the descriptor that came with it. An end is an error: [`io::ErrorKind::UnexpectedEof`].
pub(super) async fn receive(stream: &UnixStream) -> io::Result<(u8, Option<OwnedFd>)> {
    let received = stream.async_io(Interest::READABLE, || {
        let (mut byte, mut space) = ([0], [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))]);
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        let descriptor = control.drain().find_map(|message| {
            if let RecvAncillaryMessage::ScmRights(mut passed) = message { passed.next() } else { None }
        });
        let [byte] = byte;
        Ok((received.bytes, byte, descriptor))
    });
    match received.await? {
        (0, ..) => Err(io::ErrorKind::UnexpectedEof.into()),
        (_, byte, descriptor) => Ok((byte, descriptor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    #[tokio::test]
    async fn each_descriptor_comes_with_its_own_byte() {
        let (one, other) = UnixStream::pair().unwrap();
        let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        for (byte, descriptor) in [(1, Some(sockets[0].as_fd())), (2, None), (3, Some(sockets[1].as_fd()))] {
            send(&one, byte, descriptor).await.unwrap();
        }
        drop(one);
        let address = |descriptor: Option<OwnedFd>| {
            descriptor.map(|descriptor| TcpListener::from(descriptor).local_addr().unwrap())
        };
        for (byte, socket) in [(1, Some(&sockets[0])), (2, None), (3, Some(&sockets[1]))] {
            let (received, descriptor) = receive(&other).await.unwrap();
            assert_eq!(received, byte);
            assert_eq!(address(descriptor), socket.map(|socket| socket.local_addr().unwrap()));
        }
        assert_eq!(receive(&other).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
