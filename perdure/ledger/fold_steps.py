"""The steps of messages, folded: what each turn asked of the outside, and what came back."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from perdure.ledger.folded import Agent, Id
from perdure.ledger.records import Birth, Lane
from perdure.ledger.rows import StepRow
from perdure.ledger.stepkeys import branch_of
from perdure.ledger.steprecords import Ask, Intent, Result

if TYPE_CHECKING:
    from perdure.ledger.fold import Fold as Whole

Reply = tuple[int, int, int, str]


class Steps:
    """The steps of every message that waits, by message and key."""

    def __init__(self) -> None:
        self.rows: dict[Id, dict[str, StepRow]] = {}
        self.lost: dict[tuple[Id, str], str] = {}  # answers that are dead letters: why, in words

    def asked(self, seq: int, body: Ask) -> None:
        """An ask was sent; its answer is to come."""
        row = StepRow("asked", _name(body.key), body.digest, False, b"", 0, seq, begun=seq)
        self._keep(body.message, body.key, row, body.attempt)

    def intended(self, seq: int, body: Intent) -> None:
        """A step is about to happen."""
        old = self.rows.get(body.message, {}).get(body.key)
        row = StepRow(
            "intent", body.name, body.digest, False, b"", body.tokens, seq, begun=seq, intent=seq,
            tries=0 if old is None else old.tries, effect=body.effect, redone=body.redone,
        )  # fmt: skip
        self._keep(body.message, body.key, row, body.attempt)

    def concluded(self, seq: int, body: Result) -> None:
        """A step ended."""
        old = self.rows.get(body.message, {}).get(body.key)
        if old is not None and old.phase == "asked":
            reply = (body.actor, *body.message, body.key)
            self.answered(seq, reply, body.ok, body.value)
            return
        row = StepRow(
            "done", body.name, body.digest, body.ok, body.value, 0, seq, begun=body.begun,
            intent=body.intent, tries=body.tries, again=body.again,
        )  # fmt: skip
        if old is not None and body.intent:
            row = row._replace(effect=old.effect, redone=old.redone)
        elif body.asked is not None:  # what needed no intent only read
            row = row._replace(effect="read")
        else:
            # of no tool: what the time was, or an ask that closed a circle, which was begun here
            row = row._replace(tries=0, begun=0 if body.name == "now" else seq)
        self._keep(body.message, body.key, row, body.attempt)

    def missed(self, seq: int, body: Result) -> bool:
        """A handler was cancelled before it got an outcome, or gets that after all; if it can."""
        row = self.rows.get(body.message, {}).get(body.key)
        if row is None or (row.phase, row.seq) != ("done", body.missed):
            return False
        if bool(row.missed) != body.ok or (body.ok and not row.ok):
            return False
        self.rows[body.message][body.key] = row._replace(missed=0 if body.ok else seq)
        return True

    def spawned(self, seq: int, body: Birth, attempt: int) -> None:
        """A turn had a child born."""
        if body.step is not None:
            _, message_seq, index, key = body.step
            digest = blake2b(body.init, digest_size=16).digest()
            row = StepRow("done", _name(key), digest, False, b"", 0, seq, begun=seq)
            self._keep((message_seq, index), key, row, attempt)

    def answered(self, seq: int, reply: Reply, ok: bool, value: bytes) -> None:
        """The answer to an ask is in record `seq`; one that nobody waits for any more is none."""
        _, message_seq, index, key = reply
        row = self.rows.get((message_seq, index), {}).get(key)
        if row is not None and row.phase != "done":
            done = row._replace(phase="done", ok=ok, value=value, reserved=0, seq=seq)
            self._keep((message_seq, index), key, done, row.chance)

    def died(self, seq: int, reply: Reply, text: str) -> None:
        """What an ask sent became a dead letter."""
        _, message_seq, index, key = reply
        row = self.rows.get((message_seq, index), {}).get(key)
        if row is not None and row.phase != "done":
            self.answered(seq, reply, False, b"")
            self.lost[(message_seq, index), key] = text

    def forget(self, message: Id) -> list[str]:
        """A message is consumed: its steps are history. Returns those that still reserve tokens."""
        steps = self.rows.pop(message, {})
        for key in steps:
            self.lost.pop((message, key), None)
        return [key for key, row in steps.items() if row.reserved]

    @property
    def reserved(self) -> int:
        """The tokens that open steps reserve."""
        return sum(row.reserved for steps in self.rows.values() for row in steps.values())

    def _keep(self, message: Id, key: str, row: StepRow, attempt: int) -> None:
        """Keep a step: as long as it has no outcome it is one execution, begun once.

        Chance of a message is that of the attempt which had its first step.
        """
        rows = self.rows.setdefault(message, {})
        old, first = rows.get(key), next(iter(rows.values()), None)
        begun = row.begun if old is None or old.phase == "done" else old.begun
        rows[key] = row._replace(begun=begun, chance=attempt if first is None else first.chance)
        self.lost.pop((message, key), None)


def _name(key: str) -> str:
    """The name in a step key."""
    return key[len(branch_of(key)) :].rpartition("#")[0]


def _step(fold: Whole, seq: int, body: Intent | Result | Ask) -> Agent:
    """A step belongs to a message that waits for its turn to close."""
    agent = fold._agent(seq, body.actor)
    waiting = fold.waiting.get(body.message)
    if waiting is None or waiting.to != body.actor:
        message = f"message {body.message[0]}.{body.message[1]}"
        fold._wrong(seq, f"a step of {message}, which does not wait at {agent.address}")
    elif body.incarnation != agent.incarnation:
        fold._wrong(seq, f"a step of incarnation {body.incarnation} of {agent.address}")
    return agent


def _ask(fold: Whole, seq: int, body: Ask) -> None:
    _step(fold, seq, body)
    fold.waits.asked(body.message, body.key)
    fold.steps.asked(seq, body)


def _intent(fold: Whole, seq: int, body: Intent) -> None:
    _step(fold, seq, body)
    fold.steps.intended(seq, body)
    fold.reserved += body.tokens
    if fold.limit is not None and fold.spent + fold.reserved > fold.limit:
        tokens = f"{fold.spent} tokens are spent and {fold.reserved} reserved"
        fold._wrong(seq, f"{tokens}, of {fold.limit}")


def _result(fold: Whole, seq: int, body: Result) -> None:
    agent = _step(fold, seq, body)
    if body.missed:
        _missed(fold, seq, body)
    else:
        _concluded(fold, seq, body)
    fold.reserved -= body.reserved
    fold.spent += body.tokens
    agent.tokens += body.tokens
    if fold.reserved < 0:
        fold._wrong(seq, "more tokens are settled than were reserved")
    if body.ok:
        waiting = fold.waiting.get(body.message)
        if waiting is not None and waiting.lane == Lane.USER:
            agent.attempts = 0  # a newly journaled result is progress
        fold.interrupted.pop(body.message, None)


def _missed(fold: Whole, seq: int, body: Result) -> None:
    if not fold.steps.missed(seq, body):
        what = "gets after all" if body.ok else "misses"
        fold._wrong(seq, f"a handler {what} what record {body.missed} does not hold for {body.key}")


def _concluded(fold: Whole, seq: int, body: Result) -> None:
    if fold.waits.is_settled(body.message, body.key):
        message = f"message {body.message[0]}.{body.message[1]}"
        fold._wrong(seq, f"{body.key} of {message} is settled a second time")
    due = fold.waits.settle(body.message, body.key)
    if due is not None and due > body.time and body.ok:  # a failed sleep was cancelled
        fold._wrong(seq, f"a wait ends {due - body.time} ns early")
    fold.steps.concluded(seq, body)


EFFECTS: dict[type[Any], Callable[[Whole, int, Any], object]] = {
    Ask: _ask,
    Intent: _intent,
    Result: _result,
}
