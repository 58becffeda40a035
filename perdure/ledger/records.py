"""Every record of the journal, as plain data: what is on disk, on one screen.

A record is `(seq, kind, payload)`; the payload is one msgpack array whose first two elements are
always `time` (ledger time, int64 ns) and `sends` (the messages this record sends), followed by the
fields of its class below, in the order of its class. A message is named by
`(seq of the record that sends it, index in its sends)`. Classes are read with `decode`; the hot
path writes the same arrays as tuples, without building these objects.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

from perdure.ledger.interventions import (
    Base,
    Cancel,
    Fork,
    Keep,
    Live,
    Reload,
    Restore,
    Suspend,
    Verdict,
)
from perdure.ledger.steprecords import Ask, Intent, Result

__all__ = [
    "BODIES", "FORMAT_VERSION", "Artifact", "Ask", "Base", "Birth", "Body", "Cancel", "Crash",
    "Dead", "Fork", "Intent", "Keep", "Kind", "Lane", "Late", "Life", "Live", "Open", "Post",
    "Record", "Release", "Reload", "Restore", "Result", "Run", "Send", "Stall", "Status", "Suspend",
    "Timer", "Turn", "Verdict",
]  # fmt: skip

FORMAT_VERSION = 1


class Kind(IntEnum):
    """What a record says. Numbers are for ever; gaps are kinds that later work will use."""

    RUN = 1  # the first record: what this run is
    OPEN = 2  # a process took the ledger: start or resume
    BIRTH = 3  # an actor exists from here on; its id is this record's seq
    TURN = 4  # the closing record of a turn: all of it, or none
    CRASH = 5  # an attempt failed
    INTENT = 6  # a step is about to have an effect (reservation included)
    RESULT = 7  # what a step ended with (settlement included)
    ASK = 8  # a turn asked; the answer comes as a step's result
    POST = 9  # messages from outside the run
    TIMER = 10  # a timer fired: its message is sent here
    LATE = 11  # a result of a turn that is over changed nothing
    RELEASE = 12  # an artifact's file is in place
    STATUS = 13  # the run's status changed
    STALL = 14  # an actor waits for a repair
    CANCEL = 21  # an actor and all below it were ended from outside
    VERDICT = 22  # a person said what is to be done about an actor that waits for a repair
    SUSPEND = 26  # an actor takes no messages from here on, or takes them again
    RESTORE = 27  # an actor's state was set back
    FORK = 31  # this ledger is a copy of another run's up to the record before
    LIVE = 32  # a fork may have effects from here on
    RELOAD = 25  # actors run other code from here on
    KEEP = 33  # an actor goes on with the code it had
    BASE = 30  # of the records up to some, only a base and what is still needed is left
    APPROVAL = 23  # this and those below: later work
    GRANT = 24
    EPOCH = 28
    OVERRUN = 29


class Lane(IntEnum):
    """Which of an inbox's two lanes a message waits in; control goes first."""

    CONTROL = 0
    USER = 1


class Life(IntEnum):
    """Where an actor is between birth and end."""

    BORN = 0  # exists, never started
    STARTING = 1  # told to start; its on_start has not closed
    RUNNING = 2
    DOWN = 3  # crashed; its supervisor has not decided yet. The inbox is kept
    STOPPED = 4  # no incarnation, but its child spec is kept
    ENDED = 5  # gone; messages to it are dead letters


Row = list[Any]  # [head, *values]: what the bytes of a message hold; see shapes.py


class Send(NamedTuple):
    """One message in a record. `to` is 0 when there is nobody of that address: see `dead`."""

    to: int
    body: bytes  # the encoded message
    lane: int = Lane.USER
    cost: float = 3.0  # c, the holding cost per second
    est: float | None = None  # declared service seconds, if any
    reply: tuple[int, int, int, str] | None = None  # (asker id, its message seq, index, step key)
    due: int | None = None  # a timer: sent when ledger time reaches it
    dead: tuple[str, str] | None = None  # (address, reason): a dead letter from the start
    sender: int | None = None  # when it is not the record's own actor


class Artifact(NamedTuple):
    """Bytes for the outside: a blob under `artifacts/` + path."""

    path: str
    digest: bytes
    size: int


class Dead(NamedTuple):
    """A message that will not be handled."""

    seq: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a row
    to: str  # address
    reason: str
    attempts: int


class Run(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    run_id: bytes
    scenario: str  # name
    goal: str
    seed: int
    source: str  # the scenario file as read
    directory: str  # where its code was
    settings: dict[str, Any]
    code_hash: bytes
    tokens_limit: int | None
    policy: str
    concurrency: int
    durability: str = "group"  # the name of the level that it begins with


class Open(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    pid: int
    wall: int
    version: str
    code_hash: bytes
    # [(actor, seq, index)…]: what ran when the last process died; None if it ended in order
    interrupted: tuple[Any, ...] | None = None
    code: bytes = b""  # a reference to its files, a blob; none: they are too large to keep
    durability: str = "group"  # the name of the level that this process keeps to


class Birth(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    address: str
    class_name: str  # as registered
    version: int
    parent: int  # the supervisor's id, 0 for the root
    spec: dict[str, Any]  # attempts_max, backoff, restart, shutdown… as the kernel needs them
    init: bytes  # encoded keyword arguments
    life: int
    step: tuple[int, int, int, str] | None = None  # (actor, seq, index, key) that spawned it


class Turn(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    delta: tuple[Any, ...]  # see actors/state.py: [(field, op, …)…]
    state_hash: bytes
    life: int | None  # new Life, when it changes
    answer: tuple[tuple[int, int, int, str], bool, bytes] | None  # (reply address, ok, value)
    artifacts: tuple[Any, ...]
    finish: bytes | None  # the encoded result of self.finish
    rejected: str | None
    sched: tuple[float, float, float]  # c, S, index at dispatch
    took: int  # measured ns; not part of replay's comparison
    previous: int  # the record before this one that changed the actor's state; its birth, at first
    lives: tuple[Any, ...] = ()  # [(actor id, incarnation, Life)…] that a supervisor's turn changes
    dead: tuple[Any, ...] = ()  # Dead rows: inboxes of those whose life ended here
    notes: tuple[str, ...] = ()  # why, in words: a supervisor's reports
    marks: tuple[str, ...] = ()  # names that this point of the journal has from here on
    specs: tuple[Any, ...] = ()  # [(actor id, spec, init)…] that a supervisor gives anew
    refused: tuple[Any, ...] = ()  # [(place among its sends, address, why)…] by full inboxes
    watches: tuple[Any, ...] = ()  # [(verb, other's id, monitor's id)…]: see watching.py
    version: int = 0  # of its class: its state is of that from here on; 0: it is as it was


class Crash(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    attempt: int
    message: tuple[int, int]
    reason: str  # "ValueError: no such page"
    traceback: str
    counted: bool  # against intensity: false for a redelivery
    not_before: int  # ledger time of the next attempt
    dead: tuple[Any, ...]  # Dead rows: the message itself, when it has no attempts left
    took: int
    lives: tuple[Any, ...] = ()  # the children that the dead message had spawned
    cut: bool = False  # the kernel ended it: its handler was not done
    refused: tuple[Any, ...] = ()  # as in Turn


class Post(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    post_id: str
    origin: str  # "scenario", "outside", "requeue", "ingress"
    requeued: tuple[int, int] | None = None  # the dead letter that this post sends again
    verb: str = ""  # of a post with an id: what another process asked for
    ok: bool | None = None  # whether it was done; None if what it sent is to be answered
    value: bytes | None = None  # encoded: what the verb said, or (kind, text) of the refusal


class Timer(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    timer: tuple[int, int]  # the message id under which it was set


class Late(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int  # of the late result
    current: int  # incarnation now
    message: tuple[int, int]
    what: str


class Release(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    path: str
    digest: bytes


class Status(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    status: str  # finished, failed, interrupted, waiting
    reason: str
    result: bytes | None


class Stall(NamedTuple):
    time: int
    sends: tuple[Any, ...]
    actor: int
    incarnation: int
    message: tuple[int, int] | None
    reason: str


Body = (
    Run | Open | Birth | Turn | Crash | Intent | Result | Ask | Post | Timer | Late | Release
    | Status | Stall | Cancel | Verdict | Suspend | Restore | Fork | Live | Reload | Keep | Base
)  # fmt: skip


class Record(NamedTuple):
    """One entry of the journal as read: its place, its hash, and what it says."""

    seq: int
    hash: bytes
    body: Body


BODIES: dict[int, type[Any]] = {
    Kind.RUN: Run,
    Kind.OPEN: Open,
    Kind.BIRTH: Birth,
    Kind.TURN: Turn,
    Kind.CRASH: Crash,
    Kind.INTENT: Intent,
    Kind.RESULT: Result,
    Kind.ASK: Ask,
    Kind.POST: Post,
    Kind.TIMER: Timer,
    Kind.LATE: Late,
    Kind.RELEASE: Release,
    Kind.STATUS: Status,
    Kind.STALL: Stall,
    Kind.CANCEL: Cancel,
    Kind.VERDICT: Verdict,
    Kind.RESTORE: Restore,
    Kind.SUSPEND: Suspend,
    Kind.FORK: Fork,
    Kind.LIVE: Live,
    Kind.RELOAD: Reload,
    Kind.KEEP: Keep,
    Kind.BASE: Base,
}
