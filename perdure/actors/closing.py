"""How turns end: what a handler did becomes one record, or none of it does.

First everything is gathered that may fail (the delta, the answer, the sends), then the record is
appended, then memory follows it: nothing of a turn is in memory that its record does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.actors.late import late
from perdure.actors.lives import LifeChange
from perdure.actors.marking import keep_marks
from perdure.actors.plain import Plain, Reply
from perdure.actors.state import Delta, apply, collect, state_hash
from perdure.actors.turn import NS, Turn
from perdure.actors.unsettled import charge, charge_inboxes
from perdure.errors import Ignore, Reject
from perdure.ledger.keys import artifact_key, unreleased_key
from perdure.ledger.records import Dead, Kind, Life
from perdure.ledger.rows import ArtifactRow, pack_row
from perdure.ledger.watching import Change
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Closing:
    """Ends turns: closed, rejected, crashed or late."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.closed = 0  # turns of user messages, in this process
        self.plain = Plain(kernel)

    # --- closed

    def close(self, turn: Turn, answer: object = None) -> None:
        """End a turn whose handler returned."""
        if not self.plain.close(turn, answer):
            self.close_odd(turn, answer)

    def close_odd(self, turn: Turn, answer: object) -> None:
        """`close` of a turn that is not plain."""
        if not turn.open:
            self.late(turn, "closing")
            return
        cell, env = turn.cell, turn.envelope
        if env.steps is not None and self.kernel.steps.stalls(turn):
            return
        book = self.kernel.book
        encode = book.codec.encode
        try:
            delta = collect(cell.actor, cell.images, encode)  # type: ignore[arg-type]
            if turn.is_rare and turn.result is not None:
                turn.result = book.blobs.small(turn.result)
            # of a supervisor, perhaps to an ask that an earlier turn took
            reply = turn.reply if turn.is_rare else None
            if env.reply is not None and turn.kind != "control":
                reply = (env.reply, True, book.blobs.small(encode(answer, "the answer")))
        except Exception as error:  # noqa: BLE001 - whatever a user's value raises is a crash
            self.kernel.crashing.crash(turn, error)
            return
        self._commit(turn, delta, reply, None)

    def close_bare(self, turn: Turn) -> None:
        """End a turn that ran no handler: its message is consumed, state stays as committed."""
        self.kernel.book.load_state(turn.cell)
        turn.cell.actor = None
        if turn.envelope.steps:  # of a start that was fenced in the middle of one
            charge(self.kernel, turn.cell, turn.envelope)
        self._commit(turn, (), None, None)

    def keep(self, turn: Turn, delta: Delta) -> None:
        """End a turn whose state came from outside."""
        reply = turn.envelope.reply
        answer = None if reply is None else (reply, True, self.kernel.book.codec.encode(None))
        self._commit(turn, delta, answer, None)

    def refuse(self, turn: Turn, text: str) -> None:
        """End a turn that changes nothing, and say why to who asked."""
        reply, book = turn.envelope.reply, self.kernel.book
        book.load_state(turn.cell)  # an actor that is not running may not be loaded
        value = book.blobs.small(book.codec.encode(("Reject", text)))
        self._commit(turn, (), None if reply is None else (reply, False, value), text)

    def reject(self, turn: Turn, error: Reject) -> None:
        """Consume the message, answer with an error, drop state and sends."""
        env, text = turn.envelope, str(error)
        if env.steps is not None and self.kernel.steps.stalls(turn):
            return
        turn.out, turn.artifacts, turn.result, turn.stop_reason = [], None, None, None
        turn.marks = turn.watches = None
        turn.cell.actor = None  # what the handler changed in memory was never committed
        self.refuse(turn, text)

    def decline(self, turn: Turn, error: Ignore) -> None:
        """Consume a start whose actor declined it, drop state and sends."""
        if turn.envelope.steps is not None and self.kernel.steps.stalls(turn):
            return
        turn.out, turn.artifacts, turn.result, turn.stop_reason = [], None, None, None
        turn.marks, turn.declined = None, str(error)
        turn.cell.actor = None
        self._commit(turn, (), None, None)

    def _commit(self, turn: Turn, delta: Delta, reply: Reply | None, rejected: str | None) -> None:
        kernel, cell, env, out = self.kernel, turn.cell, turn.envelope, turn.out
        book, index = kernel.book, turn.index
        is_rare = turn.is_rare or turn.stop_reason is not None or cell.migrates
        life = kernel.lifecycle.after.life(turn) if is_rare else None
        hash_after = state_hash(cell.state_hash, delta) if delta else cell.state_hash
        changes = self._watched(turn, life) if is_rare else None
        wires, dead = self._address(turn, out, life)
        now = book.now_ns()
        fields: tuple[Any, ...] = (  # in the order of records.Turn, up to `previous`
            now, wires, cell.id, turn.incarnation, turn.attempt, (env.seq, env.index),
            delta, hash_after, life, reply,
            [artifact for artifact, _ in turn.artifacts.values()] if turn.artifacts else (),
            turn.result, rejected,
            (env.cost, env.cost / index if index else 0.0, index), now - turn.time_ns, cell.last,
        )  # fmt: skip
        if is_rare:
            fields += _rare(turn, dead, changes)
        seq = book.append(Kind.TURN, fields)
        self.end(turn)
        book.consume(cell, env)
        book.touch(cell)
        cell.dirty, cell.last = True, seq
        if delta:
            apply(cell.images, delta)  # type: ignore[arg-type]
            cell.state_hash = hash_after
            self.plain.settle(cell, delta)
        if turn.kind == "receive":
            self._count(turn, (now - turn.time_ns) / NS)
        if is_rare:
            self._follow(turn, seq, life, changes, dead)
        if out:
            book.deliver(seq, out)
        if reply is not None or turn.artifacts or turn.result is not None or cell.holds:
            self._spread(turn, seq, reply)
        if cell.renews:
            kernel.codes.renew(cell)
        if cell.inbox or cell.control:
            kernel.dispatch.consider(cell)

    def _follow(
        self,
        turn: Turn,
        seq: int,
        life: int | None,
        changes: list[Change] | None,
        dead: list[Dead],
    ) -> None:
        """Have lives, what hangs on them, and marks follow the record."""
        kernel, cell = self.kernel, turn.cell
        if version := _version(turn):
            cell.version, cell.migrates, cell.row_dirty = version, False, True
        if changes:
            kernel.watching.apply(cell, changes)
        self._live_on(turn, life, dead)
        if turn.marks:
            keep_marks(kernel.book, turn, seq)

    def _live_on(self, turn: Turn, life: int | None, dead: list[Dead]) -> None:
        """Lives are as the record says: the actor's own, and those that it decides on."""
        kernel, cell = self.kernel, turn.cell
        if life is not None:
            cell.change_life(life)
            if cell.is_supervisor:
                kernel.lives.bury_requests(cell, life, {(d.seq, d.index): d for d in dead})
                if life >= Life.DOWN:
                    kernel.lifecycle.deadlines.ended(cell)
            if life >= Life.DOWN:
                kernel.watching.end(cell)
        if turn.lives is not None:
            kernel.lives.apply(turn.lives, dead)

    def _watched(self, turn: Turn, life: int | None) -> list[Change]:
        """What a turn links and monitors; who hangs on its life is told if it ends with it."""
        cell, watching = turn.cell, self.kernel.watching
        turn.out[:] = self.kernel.signals.aim(turn.out)
        changes: list[Change] = []
        if turn.watches:
            changes = watching.resolved(turn)
            turn.out += watching.missing(turn, changes)
        if life is not None and life >= Life.DOWN and (cell.watches or changes):
            turn.out += watching.farewells(cell, cell.reason, changes)
        return changes

    def _address(
        self, turn: Turn, out: list[Envelope], life: int | None
    ) -> tuple[list[tuple[Any, ...]], list[Dead]]:
        """What the record holds of the turn's messages, dead letters and their notices included."""
        kernel, cell = self.kernel, turn.cell
        kernel.book.address_out(out)
        dead: list[Dead] = []
        lives: list[LifeChange] = []
        if turn.lives is not None:
            lives = turn.lives = kernel.lives.expand(turn.lives)
            out += kernel.watching.ends(turn.lives)
        if cell.is_supervisor and life is not None:
            lives = [(cell.id, cell.incarnation, life), *lives]
        if lives:
            charge_inboxes(kernel, lives)
            out += kernel.lives.apologies(lives)
            dead = kernel.lives.doomed(lives)
        out += kernel.news.notices(out)
        out += kernel.news.notices_of(dead)
        return kernel.book.wires(out, cell.id), dead

    def _count(self, turn: Turn, seconds: float) -> None:
        """A user message was handled: learn from it."""
        cell = turn.cell
        cell.turns += 1
        self.closed += 1
        if cell.attempts:
            cell.attempts = cell.not_before = 0
            cell.row_dirty = True
        self.kernel.dispatch.estimates.observe((cell.class_name, turn.envelope.type), seconds)

    def _spread(self, turn: Turn, seq: int, reply: Reply | None) -> None:
        """Have the rest of the run see what else the record says."""
        kernel = self.kernel
        if reply is not None:
            kernel.waits.answered(reply[0], reply[1], reply[2], seq)
        if turn.artifacts:
            self._publish(turn, seq)
        if turn.result is not None:
            kernel.finished(turn.result)
        if turn.cell.holds:
            kernel.pressure.drained(turn.cell)

    def _publish(self, turn: Turn, seq: int) -> None:
        book = self.kernel.book
        for artifact, data in (turn.artifacts or {}).values():
            book.blobs.keep({artifact.digest: data})
            row = ArtifactRow(artifact.digest, artifact.size, seq, False)
            book.open.puts[artifact_key(artifact.path)] = pack_row(row)
            book.open.puts[unreleased_key(artifact.path)] = b""
            self.kernel.releases.add(seq, artifact, data)

    # --- not closed

    def late(self, turn: Turn, what: str) -> None:
        """Record that a turn which is over came to an end of its own; it changes nothing."""
        late(self.kernel.book, turn, what)
        self.kernel.dispatch.ended(turn)
        self.kernel.dispatch.kick()

    def end(self, turn: Turn) -> None:
        """The turn is over: its verbs raise from here on, its slot is free."""
        cell = turn.cell
        turn.open = False
        cell.turn = None
        if cell.actor is not None:
            cell.actor.__dict__["_turn"] = None
        if turn.asks:
            self.kernel.waits.forget(turn)
        turn.pending = turn.asks = None  # they know their turn: else they would keep each other
        self.kernel.dispatch.ended(turn)


def _version(turn: Turn) -> int:
    """The class version that a state is of after a turn; 0 if that does not change."""
    actor = turn.cell.actor if turn.cell.migrates else None
    return 0 if actor is None else actor.__declaration__.version


def _rare(turn: Turn, dead: list[Dead], changes: list[Change] | None) -> tuple[Any, ...]:
    """What the record of a turn holds that most have not."""
    version = _version(turn)
    has_more = turn.marks or turn.refused or changes or version or dead
    if turn.lives is None and turn.notes is None and not has_more:
        return ()
    notes, marks, specs = turn.notes or (), turn.marks or (), turn.specs or ()
    more = (turn.refused or (), changes or (), version)
    return turn.lives or (), dead, notes, marks, specs, *more
