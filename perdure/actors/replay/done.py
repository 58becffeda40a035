"""What a turn that ran again did, as its record would say it."""

from __future__ import annotations

from typing import Any

from perdure.actors.replay.compare import Did, Intended
from perdure.actors.replay.past import Past
from perdure.actors.replay.scene import Scene
from perdure.actors.replay.stage import Stage
from perdure.actors.replay.turn import ReplayTurn
from perdure.actors.routing import route
from perdure.actors.state import collect, state_hash
from perdure.errors import Ignore


def done(stage: Stage, scene: Scene, turn: ReplayTurn, answer: object) -> Did:
    """What the turn did, as its record would say it."""
    cell, env = scene.cell, turn.envelope
    book = stage.book
    encode, error, small = book.codec.encode, scene.error, book.blobs.small
    if isinstance(error, Ignore):
        turn.out, turn.artifacts, turn.result, turn.stop_reason = [], None, None, None
        turn.declined = str(error)
        life = stage.lifecycle.after.life(turn)
        return Did((), cell.state_hash, _sent(book, turn), life=life)
    if error is not None:
        turn.out, turn.artifacts, turn.result, turn.stop_reason = [], None, None, None
        text = str(error)
        value = small(encode(("Reject", text)))
        reply = None if env.reply is None else (env.reply, False, value)
        return Did((), cell.state_hash, _sent(book, turn), reply, rejected=text)
    actor: Any = cell.actor
    delta = collect(actor, cell.images or {}, encode)
    book.blobs.fresh |= actor.__marks__.large
    actor.__marks__.large.clear()
    reply = turn.reply
    if env.reply is not None and turn.kind != "control":
        reply = (env.reply, True, small(encode(answer, "the answer")))
    is_rare = turn.kind != "receive" or turn.stop_reason is not None
    life = stage.lifecycle.after.life(turn) if is_rare else None
    lives = () if turn.lives is None else stage.lives.expand(turn.lives)
    return Did(
        delta,
        state_hash(cell.state_hash, delta),
        _sent(book, turn),
        reply,
        tuple(tuple(artifact) for artifact, _ in (turn.artifacts or {}).values()),
        None if turn.result is None else small(turn.result),
        None,
        life,
        tuple(lives),
        tuple(turn.notes or ()),
        tuple(turn.marks or ()),
        tuple(turn.specs or ()),
        tuple(stage.watching.resolved(turn)),
    )


def _sent(past: Past, turn: ReplayTurn) -> list[Intended]:
    address, small, took = past.address, past.blobs.small, turn.record.took
    for env in turn.out:
        if env.to and env.dead is None and env.lane and past.cell(env.to).is_supervisor:
            route(env, past.cell(env.to), past.codec.decode)
    return [
        Intended(
            env.dead[0] if env.dead else address(env.to),
            small(env.body),
            env.lane,
            env.cost,
            env.est,
            None if env.due is None else (env.due, env.due + took),
        )
        for env in turn.stage.signals.aim(turn.out)
    ]
