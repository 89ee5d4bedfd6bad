"""The load of one process: clients that call at given moments, however long the calls before take, and note what came of each.

Argument: a JSON object.
    addresses     ports; a client spreads its calls over them by chance
    start, end    seconds of the monotonic clock
    rate          calls per second
    known         ids that were asked before
    process       the number of this process
    notes         the file to write: one JSON list a call, of `Note`'s fields in their order
Clients are thriftpy2's, with its timeout of 3 s. One reconnects before a call if its connection has been closed or has rested for
2 s (the servers close theirs after 3 s), and after a call that failed. Where an address refuses, it goes to another; no call is sent twice.
"""

import json
import random
import select
import sys
import threading
import time
from queue import SimpleQueue
from typing import NamedTuple, Optional

from thriftpy2.thrift import TApplicationException, TClient
from thriftpy2.transport import TSocket, TTransportException

import catalogue

TIMEOUT_MS = 3000
REST = 2.0


class Kind(NamedTuple):
    """A kind of call: how many of a hundred are of it, and its method."""

    name: str
    share: int
    method: str


ASKED_BEFORE = Kind("asked before", 55, "getItem")
NEVER_ASKED = Kind("never asked", 15, "getItem")
WRITE = Kind("write", 15, "moveItem")
UNRULED = Kind("unruled", 15, "countItem")
KINDS = [ASKED_BEFORE, NEVER_ASKED, WRITE, UNRULED]


class Note(NamedTuple):
    """What came of a call."""

    kind: str
    due: float
    ended: float
    # Nothing if it was answered, with the age of the answer in seconds.
    error: Optional[str]
    age: Optional[float]


class Connection:
    """A client of one address, connected."""

    def __init__(self, port):
        self.socket = TSocket("127.0.0.1", port, socket_timeout=TIMEOUT_MS)
        transport = catalogue.WIRE["trans_factory"].get_transport(self.socket)
        transport.open()
        self.client = TClient(catalogue.types.Catalogue, catalogue.WIRE["proto_factory"].get_protocol(transport))
        self.used = time.monotonic()

    def is_fit(self):
        """Whether it has not rested too long, and the other end has neither closed it nor said something unasked."""
        if time.monotonic() - self.used >= REST:
            return False
        poll = select.poll()
        poll.register(self.socket.sock, select.POLLIN)
        return not poll.poll(0)


class Worker:
    """A client: at most one call at a time, on a connection for each address."""

    def __init__(self, load):
        self.load = load
        self.calls = SimpleQueue()
        self.connections = {}
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            kind, id, due = self.calls.get()
            error, age = self.call(kind.method, id)
            self.load.notes.append(Note(kind.name, due, time.monotonic(), error, age))
            self.load.idle.append(self)

    def call(self, method, id):
        try:
            connection = self.connection()
        except TTransportException:
            return "refused", None
        arguments = (id, "trace-%d" % random.getrandbits(32)) if method == "getItem" else (id,)
        try:
            item = getattr(connection.client, method)(*arguments)
        except catalogue.types.Unavailable:
            return "declared exception", None
        except TApplicationException as error:
            return "%s" % error, None
        except Exception as error:
            self.drop(connection)
            return described(error), None
        connection.used = time.monotonic()
        if (item.id, item.proof) != (id, catalogue.proof(method, id)):
            return WRONG, None
        return None, connection.used - item.answered

    def connection(self):
        """An open connection to an address that chance names, or to another if that one refuses."""
        ports = random.sample(self.load.ports, len(self.load.ports))
        for last, port in enumerate(ports, start=1 - len(ports)):
            kept = self.connections.get(port)
            if kept and kept.is_fit():
                return kept
            if kept:
                self.drop(kept)
            try:
                self.connections[port] = Connection(port)
                return self.connections[port]
            except TTransportException:
                if last == 0:
                    raise

    def drop(self, connection):
        self.connections = {port: kept for port, kept in self.connections.items() if kept is not connection}
        connection.client.close()


class Load:
    """All clients of this process. One that is idle takes the next call; if none is, there is one more."""

    def __init__(self, ports, known, process):
        self.ports = ports
        self.known = known
        self.next_new = (process + 1) * 10**9
        self.draw = random.Random(process)
        self.idle = []
        self.notes = []
        self.sent = 0

    def run(self, start, end, rate):
        due = start
        while due < end:
            time.sleep(max(0, due - time.monotonic()))
            worker = self.idle.pop() if self.idle else Worker(self)
            kind = self.draw.choices(KINDS, [kind.share for kind in KINDS])[0]
            worker.calls.put((kind, self.id(kind), due))
            self.sent += 1
            due = start + self.sent / rate

    def id(self, kind):
        if kind is ASKED_BEFORE:
            return self.draw.choice(self.known)
        self.next_new += 1
        return self.next_new

    def finish(self):
        """Waits for the calls under way, which all have a timeout; several reads may each take one."""
        end = time.monotonic() + 4 * TIMEOUT_MS / 1000
        while len(self.notes) < self.sent and time.monotonic() < end:
            time.sleep(0.05)


WRONG = "wrong reply"
CLOSED = "closed"


def described(error):
    """The error in a few words."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, (TTransportException, ConnectionError)):
        return CLOSED
    return type(error).__name__


def main():
    order = json.loads(sys.argv[1])
    load = Load(order["addresses"], order["known"], order["process"])
    load.run(order["start"], order["end"], order["rate"])
    load.finish()
    with open(order["notes"], "w") as file:
        for note in load.notes:
            print(json.dumps(note), file=file)
    if len(load.notes) < load.sent:
        raise SystemExit(f"{load.sent - len(load.notes)} calls never ended")


if __name__ == "__main__":
    main()
