"""What a journal says of its own past, folded: marks, the runs it was forked from, last words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from perdure.ledger.folded import Agent
from perdure.ledger.interventions import Base, Cancel, Fork, Live, Restore, Suspend, Verdict
from perdure.ledger.records import Lane, Life, Release, Send, Stall, Status, Turn
from perdure.ledger.rows import BaseRow, ForkRow

if TYPE_CHECKING:
    from perdure.ledger.fold import Fold as Whole

RUN_ID = 0
"""The id under which the marks of a run as a whole are: that of no actor."""


class Pasts:
    """Marks, by actor and of the run; and which run the records were written by."""

    def __init__(self) -> None:
        self.marks: dict[tuple[int, str], int] = {}
        self.run_id = b""
        self.past: tuple[tuple[int, bytes], ...] = ()
        self.held = False
        self.base: BaseRow | None = None

    def mark(self, seq: int, actor: int, names: Iterable[str]) -> None:
        """Names for a record: of its actor, and of the run. A later record takes them over."""
        for name in names:
            self.marks[RUN_ID, name] = self.marks[actor, name] = seq

    def fork(self, seq: int, body: Fork) -> None:
        """From here on it is another run, and may only look."""
        self.past += ((seq - 1, self.run_id),)
        self.run_id, self.held = body.run_id, True

    @property
    def row(self) -> ForkRow | None:
        """The row of a fork; None for any other run."""
        return ForkRow(self.run_id, self.past, self.held) if self.past else None


def farewell(agent: Agent, body: Turn) -> None:
    """What a turn that ends its actor's life says why: the message to the supervisor has it."""
    was_alive = agent.life in (Life.STARTING, Life.RUNNING)
    if body.life != Life.DOWN or not (was_alive or agent.reason):
        return
    for wire in body.sends:
        send = Send(*wire)
        if send.lane == Lane.CONTROL and send.to == agent.parent and send.dead is None:
            agent.reason = send.body


def _stall(fold: Whole, seq: int, body: Stall) -> None:
    fold._agent(seq, body.actor).stalled = body.reason


def _verdict(fold: Whole, seq: int, body: Verdict) -> None:
    agent = fold._agent(seq, body.actor)
    agent.stalled = ""
    if body.verdict != "again":
        agent.attempts = agent.not_before = 0
    if body.verdict == "forget" and body.message is not None:
        for key in fold.steps.forget(body.message):
            fold._wrong(seq, f"{key} is forgotten, and still reserves tokens")
        fold.waits.gone(body.message)
    fold._lives(seq, body.lives, body.dead)


def _cancel(fold: Whole, seq: int, body: Cancel) -> None:
    fold._agent(seq, body.actor)
    for id, _, _ in body.lives:
        fold._agent(seq, id).reason = f"shutdown: {body.reason}"
    fold._lives(seq, body.lives, body.dead)


def _suspend(fold: Whole, seq: int, body: Suspend) -> None:
    agent = fold._agent(seq, body.actor)
    if body.incarnation not in (0, agent.incarnation):
        fold._wrong(seq, f"it suspends incarnation {body.incarnation} of {agent.address}")
    agent.suspended = body.incarnation


def _restore(fold: Whole, seq: int, body: Restore) -> None:
    agent = fold._agent(seq, body.actor)
    if body.as_of > (agent.last or body.actor):
        fold._wrong(seq, f"{agent.address} is set back to record {body.as_of}, which is to come")
    fold._change_state(seq, agent, body)


def _fork(fold: Whole, seq: int, body: Fork) -> None:
    if body.at != seq - 1 or body.parent != fold.pasts.run_id:
        fold._wrong(seq, f"a fork of another run, or of its record {body.at}")
    fold.pasts.fork(seq, body)
    for id, init in body.inits:
        fold._agent(seq, id).init = init
    for path, artifact in fold.artifacts.items():
        fold.artifacts[path] = (*artifact[:3], False)  # its own directory has none of them yet
    if fold.status is not None and fold.status.status not in ("finished", "failed"):
        fold.status = None


def _base(fold: Whole, seq: int, body: Base) -> None:
    before = fold.pasts.base
    if not (before.at if before is not None else 0) < body.at < seq:
        fold._wrong(seq, f"the ledger is compacted up to record {body.at}")
    if not body.bases or body.bases[-1][0] != body.at:
        fold._wrong(seq, f"it names no base of record {body.at}")
    fold.pasts.base = BaseRow(seq, body.at, body.bases)
    forget(fold, body)


def forget(fold: Whole, body: Base) -> None:
    """Drop what became of old posts, and old dead letters, as a compaction was asked to."""
    fold.posts.forget(body.posts_until)
    for id in [id for id, letter in fold.dead.items() if letter.seq <= body.dead_until]:
        del fold.dead[id]


def _live(fold: Whole, _: int, body: Live) -> None:
    fold.pasts.held = False


def _release(fold: Whole, seq: int, body: Release) -> None:
    artifact = fold.artifacts.get(body.path)
    if artifact is None:
        fold._wrong(seq, f"{body.path} is in place, and no turn made it")
    elif artifact[0] == body.digest:
        fold.artifacts[body.path] = (*artifact[:3], True)


def _status(fold: Whole, _: int, body: Status) -> None:
    fold.status = body


EFFECTS: dict[type[Any], Callable[[Whole, int, Any], object]] = {
    Stall: _stall,
    Verdict: _verdict,
    Cancel: _cancel,
    Suspend: _suspend,
    Restore: _restore,
    Fork: _fork,
    Base: _base,
    Live: _live,
    Release: _release,
    Status: _status,
}
