"""A backend: a thriftpy2 server that listens, and changes its mood, when its standard input says so.

Argument: a port. A line of input is `listen` or a mood: `well` (a call takes 2 to 18 ms), `slow` (ten times as long), `garbage` (a
frame of random bytes instead of each reply), `unavailable` (the declared exception instead of each result).
"""

import os
import random
import sys
import threading
import time

from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TServerSocket

import catalogue

WORK = (0.002, 0.018)


class Catalogue:
    """The service itself."""

    mood = "well"

    def answer(self, method, id):
        if self.mood == "unavailable":
            raise catalogue.types.Unavailable(reason="no connection to the database")
        time.sleep(random.uniform(*WORK) * (10 if self.mood == "slow" else 1))
        return catalogue.types.Item(id=id, proof=catalogue.proof(method, id), answered=time.monotonic())

    def getItem(self, id, trace):
        return self.answer("getItem", id)

    def moveItem(self, id):
        return self.answer("moveItem", id)

    def countItem(self, id):
        return self.answer("countItem", id)


class Processor(TProcessor):
    """Answers as the service does, or with garbage."""

    def process(self, incoming, outgoing):
        if self._handler.mood != "garbage":
            return super().process(incoming, outgoing)
        self.process_in(incoming)
        outgoing.trans.write(random.randbytes(64))
        outgoing.trans.flush()


def main():
    service = Catalogue()
    processor = Processor(catalogue.types.Catalogue, service)
    server = TThreadedServer(
        processor,
        TServerSocket("127.0.0.1", int(sys.argv[1])),
        iprot_factory=catalogue.WIRE["proto_factory"],
        itrans_factory=catalogue.WIRE["trans_factory"],
        daemon=True,
    )
    for line in sys.stdin:
        if line.strip() == "listen":
            threading.Thread(target=server.serve, daemon=True).start()
        else:
            service.mood = line.strip()
    os._exit(0)


if __name__ == "__main__":
    main()
