"""Calls without a pause until its standard input ends, and connects and asks again when its connection ends in place of a reply.

Says "calling" after the first answer. At the end prints one line, {"own": ..., "wrong": ..., "lost": ..., "ended": ...}: calls that got their own answer,
another's, or none but a fault; and connections that ended.
"""

import argparse
import collections
import json
import sys
import threading

import client
import wire


def is_end(error):
    """Whether a connection ended, as the library says it."""
    return isinstance(error, (ConnectionError, EOFError)) or type(error).__name__ == "TTransportException"


def ask(options, library, state, id, came):
    """Asks until there is an answer."""
    connect = client.thriftpy2_client if options.library == "thriftpy2" else client.apache_client
    while True:
        if state["asker"] is None:
            state["asker"] = connect(options, library)
        try:
            user = state["asker"].getUser(id, "t")
        except Exception as error:
            if not is_end(error):
                return "lost"
            came["ended"] += 1
            state["asker"] = None
            continue
        return "own" if user.id == id else "wrong"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    wire.arguments(parser)
    parser.add_argument("--timeout-ms", type=int, default=10000)
    options = parser.parse_args()
    options.tracking = False

    library = wire.library(options)
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    came, state, id = collections.Counter(own=0, wrong=0, lost=0, ended=0), {"asker": None}, 9_000_000
    while not over.is_set():
        came[ask(options, library, state, id, came)] += 1
        if id == 9_000_000:
            print("calling", flush=True)
        id += 1
    print(json.dumps(came), flush=True)


if __name__ == "__main__":
    main()
