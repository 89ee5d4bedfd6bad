"""What came of a drill, as a page of Markdown: a row for each scene and contender, the targets, and what the errors were."""

import re
from collections import Counter
from typing import NamedTuple

from clients import ASKED_BEFORE, CLOSED, KINDS, WRONG
from scenes import GATEWAY_DIES, RETURN

# The rule's ttl and stale_while_revalidate, and the time of a call: older answers than this are given for a fault alone.
USUAL_AGE = 4.2


class Run(NamedTuple):
    """One contender's drill."""

    name: str
    title: str
    acts: list
    notes: list


class Part:
    """What came of the calls that ended in one scene."""

    def __init__(self, act, notes):
        self.act = act
        self.notes = notes
        self.errors = [note for note in notes if note.error is not None]
        self.answered = [note for note in notes if note.error is None]

    def of(self, kind):
        return Part(self.act, [note for note in self.notes if note.kind == kind.name])

    def rate(self):
        return f"{len(self.answered) / (self.act.ended - self.act.begun):.0f}"

    def failed(self):
        if not self.errors:
            return "0"
        return f"{len(self.errors)} ({100 * len(self.errors) / len(self.notes):.1f} %)"

    def latency(self):
        times = sorted(note.ended - note.due for note in self.answered)
        if not times:
            return "-"
        return " / ".join(f"{1000 * times[int(share * (len(times) - 1))]:.0f}" for share in (0.5, 0.99))

    def oldest(self):
        ages = [note.age for note in self.of(ASKED_BEFORE).answered]
        return f"{max(ages):.1f}" if ages else "-"

    def last(self, notes):
        return f"{max(note.ended for note in notes) - self.act.begun:.1f}" if notes else "-"

    def errors_end(self):
        return self.last(self.errors)

    def old_answers_end(self):
        return self.last([note for note in self.answered if note.age > USUAL_AGE])


# The columns of the table. Another figure of a scene is another line here.
COLUMNS = [
    ("answered/s", Part.rate),
    *((f"{kind.name} failed", lambda part, kind=kind: part.of(kind).failed()) for kind in KINDS),
    ("oldest answer s", Part.oldest),
    ("p50 / p99 ms", Part.latency),
    ("errors end after s", Part.errors_end),
    ("old answers end after s", Part.old_answers_end),
]


def parts(run):
    """Each scene's calls, by when they ended: a fault fails the calls that are under way."""
    ends = [act.begun for act in run.acts[1:]] + [float("inf")]
    return [
        Part(act, [note for note in run.notes if act.begun <= note.ended < end]) for act, end in zip(run.acts, ends)
    ]


def row(cells):
    return "| " + " | ".join(cells) + " |"


def scene_rows(runs):
    titles = [title for title, _ in COLUMNS]
    yield row(["scene", "", *titles])
    yield "|" + "---|" * (len(titles) + 2)
    for each in zip(*(parts(run) for run in runs)):
        for run, part in zip(runs, each):
            yield row([part.act.scene.title, run.title, *(figure(part) for _, figure in COLUMNS)])


def error_rows(runs):
    yield row(["", *(kind.name for kind in KINDS)])
    yield "|" + "---|" * (len(KINDS) + 1)
    for run in runs:
        kinds = Counter((note.kind, without_figures(note.error)) for note in run.notes if note.error)
        cells = [
            "; ".join(f"{count} {error}" for (of, error), count in kinds.most_common() if of == kind.name) or "none"
            for kind in KINDS
        ]
        yield row([run.title, *cells])


def without_figures(error):
    """An error as it is counted: addresses, numbers and bytes differ from call to call."""
    return re.sub(r"\b(0x[0-9a-f]+|\d[\d.:]*)", "*", error)


def count_errors(run, wanted, kinds):
    errors = [note for part in parts(run) if wanted(part.act.scene) for note in part.errors]
    return sum(note.kind in {kind.name for kind in kinds} for note in errors)


def calls_in_hand(run):
    """Calls for keys asked before that were under way at the gateway that was killed."""
    [part] = [part for part in parts(run) if part.act.scene.title == GATEWAY_DIES]
    errors = [note for note in part.of(ASKED_BEFORE).errors if note.error == CLOSED]
    return sum(note.due <= part.act.begun + 0.1 for note in errors)


def targets(runs):
    """The targets, for those contenders that ran: what, the limit, what was reached, and whether that is within it, if there is one."""
    by_name = {run.name: run for run in runs}
    larder, envoy = by_name.get("larder"), by_name.get("envoy")
    others = [kind for kind in KINDS if kind is not ASKED_BEFORE]
    if larder:
        failed = count_errors(larder, lambda scene: True, [ASKED_BEFORE])
        yield "errors for keys asked before", "0", str(failed), failed == 0
        yield "of them, those that the killed gateway had in hand", "-", str(calls_in_hand(larder)), None
        back = next(part for part in parts(larder) if part.act.scene.title == RETURN)
        for what, figure in [("errors", back.errors_end()), ("old answers", back.old_answers_end())]:
            yield f"{what} end after the return, s", "2", figure, figure == "-" or float(figure) <= 2
        wrong = sum(note.error == WRONG for note in larder.notes)
        yield "replies that belong to another call", "0", str(wrong), wrong == 0
    if larder and envoy:
        ours, theirs = (count_errors(run, lambda scene: scene.partial, others) for run in (larder, envoy))
        yield "other errors while some backends fail, Larder / Envoy", "0.1", f"{ours} / {theirs}", 10 * ours <= theirs


def target_rows(runs):
    yield row(["target", "limit", "reached", "verdict"])
    yield "|---|---|---|---|"
    for what, limit, figure, is_reached in targets(runs):
        yield row([what, limit, figure, {True: "reached", False: "missed", None: "-"}[is_reached]])


def page(runs, rate, machine):
    lines = [
        "# What the drill showed",
        "",
        f"One run of `tests/drill/run`, {rate:.0f} calls per second, on a shared machine ({machine}). "
        "[README.md](README.md) says what is done and measured.",
        "",
        *scene_rows(runs),
        "",
        "## Targets",
        "",
        *target_rows(runs),
        "",
        "## What the errors were",
        "",
        *error_rows(runs),
    ]
    return "\n".join(lines) + "\n"
