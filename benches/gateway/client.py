"""Calls per second of a thriftpy2 client: through Larder, with redis-py cache-aside, and to a bare echo.

Arguments: ports of Larder, Redis and the echo, rounds, seconds. One line a way: title, tab, a rate for each round.
"""

import multiprocessing
import os
import random
import socket
import struct
import sys
import time

import redis
import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client, make_server
from thriftpy2.transport import TFramedTransportFactory

KEYS, SIZE = 1000, 100
users = thriftpy2.load(os.path.join(os.path.dirname(__file__), "users.thrift"), module_name="users_thrift")
framed = {"proto_factory": TBinaryProtocolFactory(), "trans_factory": TFramedTransportFactory()}


class Users:
    def getUser(self, id, size):
        return struct.pack(">q", id).ljust(size, b"x")


def serve(port):
    make_server(users.UserService, Users(), "127.0.0.1", port, **framed).serve()


def connect(port):
    for _ in range(200):
        try:
            return make_client(users.UserService, "127.0.0.1", port, timeout=5000, **framed)
        except Exception:
            time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


def cache_aside(store, origin):
    def get(id):
        key = f"user:{id}"
        found = store.get(key)
        if found is None:
            found = origin.getUser(id, SIZE)
            store.set(key, found, ex=3600)
        return found

    return get


def rate(get, ids, seconds):
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for id in ids[calls % 8192 : calls % 8192 + 64]:
            reply = get(id)
            if len(reply) != SIZE or struct.unpack_from(">q", reply)[0] != id:
                raise SystemExit(f"asked {id}, got {reply!r}")
        calls += 64
    return calls / elapsed


def main():
    larder, store, echo, rounds = map(int, sys.argv[1:5])
    seconds = float(sys.argv[5])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    gateway, bare = connect(larder), connect(echo)
    ways = {
        "hits through Larder": lambda id: gateway.getUser(id, SIZE),
        "redis-py cache-aside, hits": cache_aside(redis.Redis(port=store), connect(port)),
        "to the bare echo, for comparison": lambda id: bare.getUser(id, SIZE),
    }
    rates = {title: [] for title in ways}
    for get in ways.values():
        for id in range(KEYS):
            get(id)
    draw = random.Random(99)
    ids = [draw.randrange(KEYS) for _ in range(8192 + 64)]
    for _ in range(rounds):
        for title, get in ways.items():
            rates[title].append(rate(get, ids, seconds))
    for title, found in rates.items():
        print(title, " ".join(f"{one:.0f}" for one in found), sep="\t")
    server.terminate()


if __name__ == "__main__":
    main()
