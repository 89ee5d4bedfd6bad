"""Serves UserService, or a metastore, with a real library, prints `listening <port>`, and runs until its standard input ends.

Ids with a meaning: 404 raises NotFound, 503 raises Unavailable, 500 raises what the IDL does not declare, 204 returns
nothing, 2000 + n answers after n milliseconds (n below 10,000). Every other id is a user, whose email tells which call
of which server made it: `call-<n>@backend-<port>`. Touching user 13000 ends when somebody renames it; its name tells how
far that has come. A new name that begins with `+` is put behind the old one. Asking for a user with the name `deadly` ends the process.
"""

import argparse
import asyncio
import itertools
import logging
import os
import ssl
import sys
import threading
import time
from http.server import ThreadingHTTPServer

import wire
from metastore import Metastore


# The transport that a call came on, in the thread that serves it.
CALLED = threading.local()


class Noted:
    """A processor whose service knows what its calls came on."""

    def __init__(self, processor):
        self.processor = processor

    def process(self, iprot, oprot):
        CALLED.transport = iprot.trans
        return self.processor.process(iprot, oprot)


class Users:
    """The service itself, for either library's types."""

    def __init__(self, types, workers):
        self.types = types
        self.workers = threading.Semaphore(workers)
        self.port = 0
        self.calls = itertools.count(1)
        self.names = {}
        self.renamed = threading.Event()

    def getUser(self, id, trace_id):
        call = next(self.calls)
        if id == 404:
            raise self.types.NotFound(id=id)
        if id == 503:
            raise self.types.Unavailable(reason="the users database is away")
        if id == 500:
            raise ValueError("not declared in the IDL")
        if self.names.get(id) == "deadly":
            os._exit(1)
        if id == 204:
            return None
        if 2000 <= id < 12000:
            with self.workers:
                time.sleep((id - 2000) / 1000)
        return self.user(id, call)

    def listUsers(self, ids, filter):
        call = next(self.calls)
        return [self.user(id, call) for id in sorted(ids)]

    def ping(self):
        next(self.calls)

    def renameUser(self, id, name):
        next(self.calls)
        self.names[id] = self.names.get(id, "") + name if name.startswith("+") else name
        if id == 13000:
            self.renamed.set()

    def touch(self, id):
        next(self.calls)
        if id == 13000:
            self.names[id] = "being touched"
            self.renamed.wait()
        self.names[id] = "touched"

    def heard(self):
        """Which headers came with the call, in the header transport; a header of the reply tells so too."""
        transport = getattr(CALLED, "transport", None)
        if transport is None:
            return ""
        told = ["%s=%s" % (name.decode(), value.decode()) for name, value in transport.get_headers().items()]
        told = ",".join(sorted(told))
        transport.set_header(b"heard", told.encode())
        return told

    def user(self, id, call):
        name = self.names.get(id, "user-%d" % id)
        email = "call-%d@backend-%d" % (call, self.port)
        address = self.types.Address(street="1 High Street", city="Ostend", country="Belgium")
        attributes, heard = {"shoe": "42", "hat": "58"}, self.heard()
        if heard:
            attributes["heard"] = heard
        return self.types.User(id=id, name=name, email=email, attributes=attributes, address=address)


def thriftpy2_server(options, library, users):
    from thriftpy2.server import TThreadedServer
    from thriftpy2.thrift import TMultiplexedProcessor, TProcessor
    from thriftpy2.transport import TBufferedTransportFactory, TServerSocket, TSSLServerSocket

    processor = TProcessor(library.service, users)
    if options.http:
        from thriftpy2.http import THttpServer

        # A body is a message and no frame.
        transports = TBufferedTransportFactory()
        server = THttpServer(
            processor, (options.host, options.port), transports, library.protocols, ThreadingHTTPServer
        )
        return server, server.httpd.server_address[1]
    if options.multiplexed:
        plain, processor = processor, TMultiplexedProcessor()
        processor.register_processor(options.service, plain)
    if options.tls_certificate:
        socket = TSSLServerSocket(host=options.host, port=options.port, certfile=options.tls_certificate)
    else:
        socket = TServerSocket(host=options.host, port=options.port, unix_socket=options.unix)
    bind_now(socket)
    server = TThreadedServer(
        processor, socket, iprot_factory=library.protocols, itrans_factory=library.transports, daemon=True
    )
    return server, port(options, socket.sock)


class Awaited:
    """A service whose methods are awaited, each in a thread of its own."""

    def __init__(self, users):
        self.users = users

    def __getattr__(self, name):
        async def call(*args):
            return await asyncio.to_thread(getattr(self.users, name), *args)

        return call


def asyncio_server(options, library, users):
    """thriftpy2's other server. It closes each connection 3 s after it was opened, as it does if nobody tells it otherwise."""
    from thriftpy2.contrib.aio import protocol, transport
    from thriftpy2.contrib.aio.processor import TAsyncProcessor
    from thriftpy2.contrib.aio.server import TAsyncServer
    from thriftpy2.contrib.aio.socket import TAsyncServerSocket

    framed, binary = options.transport == "framed", options.protocol == "binary"
    transports = transport.TAsyncFramedTransportFactory if framed else transport.TAsyncBufferedTransportFactory
    protocols = protocol.TAsyncBinaryProtocolFactory if binary else protocol.TAsyncCompactProtocolFactory
    socket = TAsyncServerSocket(host=options.host, port=options.port)
    bind_now(socket)
    server = TAsyncServer(
        TAsyncProcessor(library.service, Awaited(users)),
        socket,
        itrans_factory=transports(),
        iprot_factory=protocols(),
        loop=asyncio.new_event_loop(),
    )
    return server, socket.raw_sock.getsockname()[1]


def apache_server(options, library, users):
    from thrift.TMultiplexedProcessor import TMultiplexedProcessor
    from thrift.server.TServer import TSimpleServer, TThreadedServer
    from thrift.transport.TSSLSocket import TSSLServerSocket
    from thrift.transport.TSocket import TServerSocket

    processor = library.service.Processor(users)
    if options.http:
        from thrift.server.THttpServer import THttpServer

        address = (options.host, options.port)
        server = THttpServer(processor, address, library.protocols, server_class=ThreadingHTTPServer)
        return server, server.httpd.server_address[1]
    if options.multiplexed:
        plain, processor = processor, TMultiplexedProcessor()
        processor.registerProcessor(options.service, plain)
    if options.transport == "header":
        processor = Noted(processor)
    if options.tls_certificate:
        asks = {"cert_reqs": ssl.CERT_REQUIRED, "validate_callback": lambda *_: None} if options.tls_ca else {}
        # The library's default is a version for clients alone.
        papers = {"certfile": options.tls_certificate, "ca_certs": options.tls_ca, "ssl_version": ssl.PROTOCOL_TLS_SERVER}
        socket = TSSLServerSocket(host=options.host, port=options.port, **papers, **asks)
    else:
        socket = TServerSocket(host=options.host, port=options.port, unix_socket=options.unix)
    bind_now(socket)
    if options.single:
        server = TSimpleServer(processor, socket, library.transports, library.protocols)
    else:
        server = TThreadedServer(processor, socket, library.transports, library.protocols, daemon=True)
    return server, port(options, socket.handle)


def port(options, socket):
    """A socket in the file system has none."""
    return 0 if options.unix else socket.getsockname()[1]


def bind_now(socket):
    """Binds before the server does, so that the port is known; the server would bind another one."""
    socket.listen()
    socket.listen = lambda: None


def leave_with_parent():
    """Ends this process when whoever started it has gone."""
    sys.stdin.read()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    wire.arguments(parser)
    parser.add_argument("--single", action="store_true", help="one connection at a time; Apache's alone")
    parser.add_argument("--asyncio", action="store_true", help="on an event loop; thriftpy2's alone")
    parser.add_argument("--workers", type=int, default=1000, help="how many may take their time at once")
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)

    library = wire.library(options)
    types, workers = library.types, options.workers
    users = Metastore(types) if options.idl == "metastore" else Users(types, workers)
    thriftpy2_servers = asyncio_server if options.asyncio else thriftpy2_server
    make = thriftpy2_servers if options.library == "thriftpy2" else apache_server
    server, users.port = make(options, library, users)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    print("listening %d" % users.port, flush=True)
    server.serve()


if __name__ == "__main__":
    main()
