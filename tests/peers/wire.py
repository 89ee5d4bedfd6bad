"""Which transport and protocol each library offers, under the names that Larder's configuration uses."""

import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments(parser):
    """The options that a client and a server share."""
    parser.add_argument("--library", choices=["thriftpy2", "apache"], required=True)
    parser.add_argument("--transport", choices=["framed", "unframed", "header"], required=True)
    parser.add_argument("--protocol", choices=["binary", "compact"], required=True)
    parser.add_argument("--multiplexed", action="store_true")
    parser.add_argument("--http", action="store_true", help="each message by a POST, whatever the transport")
    parser.add_argument("--zlib", action="store_true", help="packs what it sends in the header transport; Apache's alone")
    parser.add_argument("--idl", choices=["users", "larder", "metastore"], default="users")
    parser.add_argument("--service", default="UserService")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--unix", help="a socket in the file system, in place of host and port")
    parser.add_argument("--tls-ca", help="a PEM file: who signs the other end's certificate; a server asks for one with it")
    parser.add_argument("--tls-certificate", help="a PEM file with the certificate that is shown, and its key")


class Thriftpy2:
    """thriftpy2, which reads the IDL as it starts."""

    def __init__(self, options):
        import thriftpy2
        from thriftpy2.protocol import TBinaryProtocolFactory, TCompactProtocolFactory
        from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory

        idl = os.path.join(HERE, "..", "..", "idl", options.idl + ".thrift")
        self.types = thriftpy2.load(idl, module_name=options.idl + "_thrift")
        self.service = getattr(self.types, options.service)
        framed = options.transport == "framed"
        self.transports = TFramedTransportFactory() if framed else TBufferedTransportFactory()
        binary = options.protocol == "binary"
        self.protocols = TBinaryProtocolFactory() if binary else TCompactProtocolFactory()


class Apache:
    """The Apache library, with the code that its compiler generated under gen/."""

    def __init__(self, options):
        sys.path.insert(0, os.path.join(HERE, "gen"))
        from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
        from thrift.protocol.TCompactProtocol import TCompactProtocolFactory
        from thrift.transport.TTransport import TBufferedTransportFactory, TFramedTransportFactory

        self.types = importlib.import_module(options.idl + ".ttypes")
        self.service = importlib.import_module(options.idl + "." + options.service)
        framed = options.transport == "framed"
        self.transports = TFramedTransportFactory() if framed else TBufferedTransportFactory()
        binary = options.protocol == "binary"
        self.protocols = TBinaryProtocolFactory() if binary else TCompactProtocolFactory()
        if options.transport == "header":
            self.protocols = self.header_protocols(binary)

    @staticmethod
    def header_protocols(binary):
        """The header transport, which this library takes for a protocol."""
        from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
        from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID

        inner = THeaderSubprotocolID.BINARY if binary else THeaderSubprotocolID.COMPACT
        return THeaderProtocolFactory([THeaderClientType.HEADERS], inner)


def library(options):
    """The chosen library."""
    return Thriftpy2(options) if options.library == "thriftpy2" else Apache(options)
