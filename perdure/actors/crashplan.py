"""What a failed attempt leads to, decided before it is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from perdure.actors.attempts import attempts_max, backoff_ns, chance_of, escalates
from perdure.actors.lives import LifeChange
from perdure.actors.turn import Turn
from perdure.errors import Broken
from perdure.ledger.records import Dead
from perdure.mailbox.control import Exit, Reason, StartFailed, Stopped
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class CrashPlan(NamedTuple):
    """What a failed attempt leads to; see DESIGN section 6."""

    out: list[Envelope]
    dead: list[Dead]
    counted: bool
    not_before: int
    attempts: int
    consumed: bool
    lives: list[LifeChange]


def plan_crash(kernel: Kernel, turn: Turn, reason: Reason, now: int) -> CrashPlan:
    """What a failed attempt leads to."""
    cell, env = turn.cell, turn.envelope
    id, incarnation = cell.id, cell.incarnation
    if turn.kind != "receive":
        if turn.kind == "control":
            raise Broken(f"the supervisor {cell.address} failed: {reason}")
        kernel.lifecycle.deadlines.met(env)
        out = [kernel.lifecycle.control(cell.parent, id, _failed(kernel, turn, reason))]
        lives = kernel.spawning.orphans(env)
        return CrashPlan(out, [], True, cell.not_before, cell.attempts, True, lives)
    counted = turn.attempt == 1
    fell = Exit(id, incarnation, reason, counted, escalates(cell.spec, cell.next_fall))
    out = [kernel.lifecycle.control(cell.parent, id, fell)]
    tries = cell.attempts + 1  # since the last progress: a journaled result starts anew
    if tries >= attempts_max(cell.spec):
        dead = [Dead(env.seq, env.index, cell.address, str(reason), turn.attempt)]
        lives = kernel.spawning.orphans(env)
        return CrashPlan(out, dead, counted, 0, 0, True, lives)
    chance = chance_of(kernel.seed, id, (env.seq, env.index), turn.attempt)
    not_before = now + backoff_ns(cell.spec, tries, chance)
    return CrashPlan(out, [], counted, not_before, tries, False, [])


def _failed(kernel: Kernel, turn: Turn, reason: Reason) -> object:
    """What a crash out of `on_start` or `on_stop` is to the supervisor."""
    cell = turn.cell
    if turn.kind == "start":
        return StartFailed(cell.id, cell.incarnation, reason)
    message = kernel.book.codec.decode(turn.envelope.body)
    told = Stopped if getattr(message, "asked", False) else Exit
    return told(cell.id, cell.incarnation, reason)
