"""What follows from a failed attempt, decided again: what is told, given up and ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from perdure.actors.crashplan import plan_crash
from perdure.actors.replay.compare import NONE, Decode, Difference, Intended, sent
from perdure.actors.replay.turn import ReplayTurn
from perdure.ids import MessageId
from perdure.ledger.records import Crash, Lane, Life
from perdure.mailbox.control import Reason

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.replay.past import Past
    from perdure.actors.replay.scene import Scene
    from perdure.actors.replay.stage import Stage


def fallen(turn: ReplayTurn, body: Crash, reason: Reason, decode: Decode) -> list[Difference]:
    """Where a crash leads elsewhere than its record says; nothing, if it leads there.

    The turn has ended with that reason, which is the recorded one.
    """
    past, stage = turn.stage.book, turn.stage
    plan = plan_crash(cast("Kernel", stage), turn, reason, body.time)
    out = [Intended(past.address(e.to), e.body, e.lane, e.cost, e.est, None) for e in plan.out]
    found = sent(body, out, past.address, decode)
    if plan.not_before != body.not_before and turn.kind == "receive":
        found.append(
            Difference("the next attempt", *map(_when, (body.not_before, plan.not_before)))
        )
    spawned = past.births.spawned(turn.cell.id, body.message) if plan.consumed else []
    ends = [(child.id, child.incarnation, int(Life.ENDED)) for child in spawned]
    ended = {change[0] for change in stage.lives.expand(ends)}
    dead = {(row.seq, row.index) for row in plan.dead} | set(_waiting(past, ended))
    sides = [{(row[0], row[1]) for row in body.dead}, dead]
    if sides[0] != sides[1]:
        found.append(Difference("its dead letters", *map(_messages, sides)))
    recorded = {change[0] for change in body.lives}
    if recorded != ended:
        texts = [", ".join(map(past.address, sorted(ids))) or NONE for ids in (recorded, ended)]
        found.append(Difference("who ends with it", *texts))
    return found


def take_cut(stage: Stage, scene: Scene, decode: Decode) -> bool:
    """Take a turn that the kernel cut as recorded, if it did: how far it was, nothing says."""
    body = scene.body
    if not isinstance(body, Crash) or not body.cut:
        return False
    scene.kind = "start" if scene.envelope.lane == Lane.CONTROL else "receive"
    scene.skipped, scene.cell.actor = body.reason, None
    turn = ReplayTurn(stage, scene.cell, scene.envelope, scene.kind, body)
    scene.differences = fallen(turn, body, Reason("crash", body.reason), decode)
    return True


def _waiting(past: Past, ended: set[int]) -> Iterator[tuple[int, int]]:
    """What waits in the inboxes of those."""
    for id, env in past.messages.items() if ended else ():
        if env.to in ended and env.lane == Lane.USER:
            yield id


def _when(not_before: int) -> str:
    return f"not before {not_before}" if not_before else NONE


def _messages(ids: set[tuple[int, int]]) -> str:
    return ", ".join(str(MessageId(*id)) for id in sorted(ids)) or NONE
