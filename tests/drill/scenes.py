"""What happens in a drill, one scene after the other. What is broken stays so until all are back."""

from typing import Callable, NamedTuple

import processes
from processes import listens, until

COUNT = 8


class Fleet:
    """Eight backends. Their successors wait, loaded and not listening, so that a return takes no time."""

    def __init__(self, stage, python, script):
        self.command = [python, script]
        self.stage = stage
        self.ports = processes.free_ports(COUNT)
        self.living = self.hatch()
        self.listen()

    def hatch(self):
        return [self.stage.start("backend", *self.command, port) for port in self.ports]

    def listen(self):
        for backend in self.living:
            backend.tell("listen")
        until(lambda: all(map(listens, self.ports)), "the backends")
        self.successors = []

    def kill_all(self):
        for backend in self.living:
            backend.kill()
        self.successors = self.hatch()

    def come_back(self):
        self.living = self.successors
        self.listen()


class Scene(NamedTuple):
    """A part of the drill: what happens at its beginning, and how long it lasts."""

    title: str
    seconds: float
    begin: Callable
    # Whether some backends fail, and others are well.
    partial: bool = False


def nothing(fleet, contender):
    pass


def two_die(fleet, contender):
    for backend in fleet.living[:2]:
        backend.kill()


def one_hangs(fleet, contender):
    fleet.living[2].hang()


def one_is_slow(fleet, contender):
    fleet.living[3].tell("slow")


def one_answers_garbage(fleet, contender):
    fleet.living[4].tell("garbage")


def one_loses_its_database(fleet, contender):
    fleet.living[5].tell("unavailable")


def all_die(fleet, contender):
    fleet.kill_all()


def redis_dies(fleet, contender):
    contender.kill_redis()


def a_gateway_dies(fleet, contender):
    contender.kill_gateway()


def all_are_back(fleet, contender):
    fleet.come_back()


def redis_and_gateway_are_back(fleet, contender):
    contender.start_redis()
    contender.start_gateway()


GATEWAY_DIES = "one of two gateways dies"
RETURN = "all are back"


def scenes(short):
    """The drill, or one of seconds that only shows whether it runs."""
    part, third = (3, 3) if short else (10, 20)
    return [
        Scene("all are well", part, nothing),
        Scene("two die", part, two_die, partial=True),
        Scene("one hangs", part, one_hangs, partial=True),
        Scene("one is ten times slow", part, one_is_slow, partial=True),
        Scene("one answers garbage", part, one_answers_garbage, partial=True),
        Scene("one loses its database", part, one_loses_its_database, partial=True),
        Scene("all die", third, all_die),
        Scene("Redis dies", third, redis_dies),
        Scene(GATEWAY_DIES, third, a_gateway_dies),
        Scene(RETURN, 2 * part, all_are_back),
        Scene("Redis and the gateway too", part, redis_and_gateway_are_back),
    ]
