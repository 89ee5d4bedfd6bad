"""The processes of a drill: started with a log of their own, found by their ports, and all ended with it."""

import itertools
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path


class Failed(Exception):
    """The drill cannot go on."""


class Process:
    """A child whose standard error goes to a file. It takes lines on its standard input."""

    def __init__(self, log, *command):
        self.log = log
        with open(log, "ab") as file:
            self.child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True
            )

    def tell(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def wait(self, seconds):
        if self.child.wait(seconds) != 0:
            raise Failed(f"{self.child.args[:3]} failed:\n{Path(self.log).read_text()[-2000:]}")

    def hang(self):
        os.kill(self.child.pid, signal.SIGSTOP)

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.child.stdin.close()


class Stage:
    """What one contender's drill runs: whatever is started on it ends with it."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.names = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in reversed(self.processes):
            process.kill()

    def start(self, name, *command):
        process = Process(self.folder / f"{next(self.names):02}-{name}.log", *command)
        self.processes.append(process)
        return process

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


def fill(template, **words):
    """The text of a file beside this one, with its capital words filled in."""
    text = (Path(__file__).parent / template).read_text()
    head, body = [], []
    for line in text.splitlines(keepends=True):
        (head if line.startswith("#") and not body else body).append(line)
    body = "".join(body)
    for word, value in words.items():
        body = body.replace(word, str(value))
    return body


PORTS = range(20000, 30000)


def free_ports(count):
    """Ports that nobody listens on, below those that the system gives to connections: they stay free while a server is dead."""
    found, first = [], random.choice(PORTS)
    for port in itertools.chain(range(first, PORTS.stop), range(PORTS.start, first)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise Failed("no free ports")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition, what, seconds=30):
    """Waits until a condition holds, looking often."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.002)
