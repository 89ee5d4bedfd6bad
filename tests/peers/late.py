"""Gives up on slow calls, asks something else on the same connection, and counts whose answer that gets.

Each run connects, asks for a user who takes between 150 and 650 ms, for no longer than `--timeout-ms`, pauses up to 20 ms, and asks for another
user. Prints one line, {"runs": ..., "late": ..., "own": ..., "error": ..., "wrong": ...}: `late` are runs whose first call was given up on, the
other three say what came of the second call, or of a first one that got another's answer.
"""

import argparse
import collections
import concurrent.futures
import json
import random
import time

import client
import wire

FAST = 7
AT_ONCE = 25


def ask(asker, id):
    """Whether the answer to a call is its own, another's, or none."""
    try:
        user = asker.getUser(id, "t")
    except Exception:  # a timeout, an end of the connection, or a reply that cannot be this call's
        return "error"
    return "own" if user.id == id else "wrong"


def run(options, library, seed):
    chance = random.Random(seed)
    connect = client.thriftpy2_client if options.library == "thriftpy2" else client.apache_client
    asker = connect(options, library)
    first = ask(asker, 2000 + chance.randint(150, 650))
    if first == "wrong":
        return first, first
    time.sleep(chance.uniform(0, 0.02))
    return first, ask(asker, FAST)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    wire.arguments(parser)
    parser.add_argument("--timeout-ms", type=int, default=500)
    parser.add_argument("--runs", type=int, required=True)
    options = parser.parse_args()
    options.tracking = False

    library = wire.library(options)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        came = list(pool.map(lambda seed: run(options, library, seed), range(options.runs)))
    of_second = collections.Counter(second for _, second in came)
    late = sum(first == "error" for first, _ in came)
    print(json.dumps({"runs": len(came), "late": late, **{word: of_second[word] for word in ("own", "error", "wrong")}}))


if __name__ == "__main__":
    main()
