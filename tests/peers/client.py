"""Makes the calls that its standard input lists on one connection, and prints one result for each.

A line of input is one of
    {"call": "getUser", "args": [7, "t"]}       sends the call and reads its reply
    {"send": "getUser", "args": [7, "t"]}       sends the call alone
    {"recv": "getUser"}                         reads the reply of a call that was sent
    {"pass_ms": 250}                            lets time pass; prints nothing
An argument {"struct": "Order", "fields": {...}} is a struct.
A call may have {"headers": {...}}, which go beside it in the header transport and over HTTP; those of its reply stand in the answer.
A line of output is {"value": ...} or {"exception": "NotFound", "message": "...", "type": 6}; `type` is null but for a
TApplicationException, and the fields of a declared exception stand in "fields".
"""

import argparse
import json
import sys
import time

import wire

def thriftpy2_client(options, library):
    if options.http:
        from thriftpy2.http import make_client

        return make_client(
            library.service, options.host, options.port, path="/", proto_factory=library.protocols,
            timeout=options.timeout_ms, keep_alive=True,
        )
    from thriftpy2.protocol.multiplex import TMultiplexedProtocol
    from thriftpy2.thrift import TClient
    from thriftpy2.transport import TSocket, TSSLSocket

    if options.tls_ca:
        papers = {"cafile": options.tls_ca, "certfile": options.tls_certificate}
        socket = TSSLSocket(options.host, options.port, socket_timeout=options.timeout_ms, **papers)
    else:
        where = {"unix_socket": options.unix} if options.unix else {"host": options.host, "port": options.port}
        socket = TSocket(socket_timeout=options.timeout_ms, **where)
    transport = library.transports.get_transport(socket)
    protocol = library.protocols.get_protocol(transport)
    transport.open()
    if options.multiplexed:
        protocol = TMultiplexedProtocol(protocol, options.service)
    if options.tracking:
        return tracked_client(library.service, protocol)
    return TClient(library.service, protocol)


def tracked_client(service, protocol):
    from thriftpy2.contrib.tracking import TrackerBase, TTrackedClient

    class Tracker(TrackerBase):
        def record(self, header, exception):
            pass

    return TTrackedClient(Tracker(client="tests", server="larder"), service, protocol)


def apache_client(options, library):
    from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
    from thrift.transport.TSSLSocket import TSSLSocket
    from thrift.transport.TSocket import TSocket

    if options.http:
        from thrift.transport.THttpClient import THttpClient

        transport = THttpClient("http://%s:%d/" % (options.host, options.port))
        return library.service.Client(library.protocols.getProtocol(transport))
    if options.tls_ca:
        papers = {"ca_certs": options.tls_ca, "certfile": options.tls_certificate}
        socket = TSSLSocket(options.host, options.port, **papers)
    else:
        socket = TSocket(options.host, options.port, unix_socket=options.unix)
    socket.setTimeout(options.timeout_ms)
    transport = library.transports.getTransport(socket)
    protocol = library.protocols.getProtocol(transport)
    transport.open()
    if options.zlib:
        protocol.trans.add_transform(1)
    if options.multiplexed:
        protocol = TMultiplexedProtocol(protocol, options.service)
    return library.service.Client(protocol)


def send(options, client, method, args):
    if options.library == "apache":
        return getattr(client, "send_" + method)(*args)
    from thriftpy2.thrift import args_to_kwargs

    named = args_to_kwargs(getattr(client._service, method + "_args").thrift_spec, *args)
    return client._send(method, **named)


def receive(options, client, method):
    if options.library == "apache":
        return getattr(client, "recv_" + method)()
    return client._recv(method)


def plain(value):
    """The value in JSON's types."""
    if isinstance(value, (list, set, tuple, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if hasattr(value, "thrift_spec"):
        return {name: plain(each) for name, each in vars(value).items()}
    return value


def exception(error):
    kind = getattr(error, "type", None)
    return {
        "exception": type(error).__name__,
        "message": str(getattr(error, "message", None) or error),
        "type": kind if isinstance(kind, int) else None,
        "fields": plain(error) if hasattr(error, "thrift_spec") else {},
    }


def built(types, value):
    """An argument in the library's types."""
    if isinstance(value, dict) and "struct" in value:
        fields = {name: built(types, each) for name, each in value["fields"].items()}
        return getattr(types, value["struct"])(**fields)
    return value


def step(options, library, client, line):
    if options.http and "headers" in line:
        client._oprot.trans.setCustomHeaders(line["headers"])
    elif "headers" in line:
        for name, value in line["headers"].items():
            client._oprot.trans.set_header(name.encode(), value.encode())
    args = [built(library.types, each) for each in line.get("args", [])]
    if "call" in line:
        return getattr(client, line["call"])(*args)
    if "send" in line:
        return send(options, client, line["send"], args)
    return receive(options, client, line["recv"])


def heard(options, transport):
    """The headers of the reply that was read last."""
    if options.http:
        return {name.lower(): value for name, value in transport.headers.items()}
    return {name.decode(): value.decode() for name, value in transport.get_headers().items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    wire.arguments(parser)
    parser.add_argument("--timeout-ms", type=int, default=10000)
    parser.add_argument("--tracking", action="store_true")
    options = parser.parse_args()

    library = wire.library(options)
    connect = thriftpy2_client if options.library == "thriftpy2" else apache_client
    client = connect(options, library)
    for text in sys.stdin:
        line = json.loads(text)
        if "pass_ms" in line:
            time.sleep(line["pass_ms"] / 1000)
            continue
        try:
            answer = {"value": plain(step(options, library, client, line))}
        except Exception as error:  # whatever it is, the test wants to see it
            answer = exception(error)
        if "headers" in line:
            answer["headers"] = heard(options, client._iprot.trans)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
