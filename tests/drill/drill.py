"""An outage from its first second to its last, with real processes: Larder beside Envoy and beside no proxy at all.

tests/drill/run starts this with what it needs. It prints a page of tables, and with --write puts it into RESULTS.md beside it.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import contenders
import processes
import table
from clients import Note
from scenes import Fleet, scenes

HERE = Path(__file__).resolve().parent
KNOWN = list(range(1, 301))
LOADS = 4


class Act(NamedTuple):
    """A scene as it was played."""

    scene: object
    begun: float
    ended: float


def play(contender_class, options, folder):
    """One contender's drill: its acts, and what came of every call."""
    with processes.Stage(folder) as stage:
        fleet = Fleet(stage, sys.executable, HERE / "backend.py")
        contender = contender_class(stage, fleet.ports)
        warm(stage, contender, options)
        plan = scenes(options.short)
        start = time.monotonic() + 1
        end = start + sum(scene.seconds for scene in plan)
        loads = [load(stage, contender, number, start, end, options.rate / LOADS) for number in range(LOADS)]
        acts, due = [], start
        for scene in plan:
            time.sleep(max(0, due - time.monotonic()))
            print(f"{contender.name}: {scene.title}", file=sys.stderr)
            due += scene.seconds
            acts.append(Act(scene, time.monotonic(), due))
            scene.begin(fleet, contender)
        return acts, collect(loads, end)


def load(stage, contender, number, start, end, rate):
    notes = stage.folder / f"notes-{number}"
    order = {"addresses": contender.addresses, "known": KNOWN, "process": number, "notes": str(notes)}
    order.update(start=start + number / (LOADS * rate), end=end, rate=rate)
    return notes, stage.start("clients", sys.executable, HERE / "clients.py", json.dumps(order))


def collect(loads, end):
    notes = []
    for path, process in loads:
        process.wait(max(0, end - time.monotonic()) + 30)
        notes.extend(Note(*json.loads(line)) for line in path.read_text().splitlines())
    return sorted(notes, key=lambda note: note.due)


def warm(stage, contender, options):
    """Asks every known key, so that whoever keeps answers has them."""
    rate = options.rate / LOADS
    start = time.monotonic() + 1
    end = start + (2 if options.short else 5)
    collect([load(stage, contender, number, start, end, rate) for number in range(LOADS)], end)


def arguments():
    parser = argparse.ArgumentParser(prog="tests/drill/run", description=__doc__)
    names = [each.name for each in contenders.ALL]
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes: does everything run?")
    parser.add_argument("--only", action="append", choices=names, help="this contender; may be given several times")
    parser.add_argument("--rate", type=float, default=400, help="calls per second of all clients together (400)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep logs, configurations and what came of each call here")
    parser.add_argument("--write", action="store_true", help="write the page to RESULTS.md as well")
    return parser.parse_args()


def main():
    options = arguments()
    chosen = [each for each in contenders.ALL if not options.only or each.name in options.only]
    with tempfile.TemporaryDirectory() as scratch:
        runs = []
        for contender in chosen:
            folder = (options.keep or Path(scratch)) / contender.name
            folder.mkdir(parents=True, exist_ok=True)
            runs.append(table.Run(contender.name, contender.title, *play(contender, options, folder)))
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    page = table.page(runs, options.rate, machine)
    print(page)
    if options.write:
        (HERE / "RESULTS.md").write_text(page)


if __name__ == "__main__":
    try:
        main()
    except processes.Failed as error:
        raise SystemExit(f"drill: {error}") from None
