"""What the journal says of one step of a pending message."""

from __future__ import annotations

from typing import Any

from perdure.actors.cell import Step
from perdure.mailbox.envelope import Envelope


class Outcome(Step):
    """A step of a pending message, with what replay needs to give it back when it came."""

    __slots__ = ("attempt", "began", "is_anew", "is_here", "sends", "time", "time_begun")

    def __init__(self, phase: str, body: Any, seq: int) -> None:
        super().__init__(phase, getattr(body, "name", body.key), body.digest, seq)
        self.attempt = (body.incarnation, body.attempt)  # whose handler began it
        self.began = seq
        self.time = self.time_begun = body.time  # ledger time of its last record, and its first
        self.asked = getattr(body, "asked", None)
        # what an earlier attempt missed, and this one gets: it need not wait for that
        self.is_here = phase == "done" and body.ok and body.missed > 0
        self.is_anew = False  # an ask after it was cancelled: what it took along is gone already
        self.sends: tuple[Any, ...] = ()  # of an ask: what its record sends

    def settle(self, ok: bool, value: bytes, seq: int, time: int) -> None:
        """It ended so."""
        self.phase, self.ok, self.value, self.seq, self.time = "done", ok, value, seq, time


def keep(env: Envelope, body: Any, step: Outcome) -> None:
    """Have it be the step of its key; what the same try knew of it before stays."""
    if env.steps is None:
        env.steps = {}
    first, old = next(iter(env.steps.values()), None), env.steps.get(body.key)
    step.chance = body.attempt if first is None else first.chance
    step.is_anew = step.is_here or (old is not None and step.phase == "asked")
    if isinstance(old, Outcome) and old.attempt == step.attempt:
        step.is_anew = step.is_anew or old.is_anew
        step.began, step.time_begun = old.began, old.time_begun
        step.sends, step.asked = step.sends or old.sends, step.asked or old.asked
    env.steps[body.key] = step
