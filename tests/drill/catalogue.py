"""The service's types, for the drill's servers and clients alike."""

import hashlib
from pathlib import Path

import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.transport import TFramedTransportFactory

types = thriftpy2.load(str(Path(__file__).parent / "catalogue.thrift"), module_name="catalogue_thrift")
WIRE = {"proto_factory": TBinaryProtocolFactory(), "trans_factory": TFramedTransportFactory()}


def proof(method, id):
    """What shows that an answer belongs to the call."""
    return hashlib.sha256(f"{method}({id})".encode()).hexdigest()
