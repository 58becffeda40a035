"""The run as a journal leaves it after each record, as far as turns that run again need it.

It holds live actors and pending messages, never what is over: memory does not grow with history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell, Step
from perdure.actors.replay.births import Births
from perdure.actors.replay.budgets import Budgets
from perdure.actors.replay.codes import EFFECTS, CodeOf, Codes
from perdure.actors.replay.delivery import deliver
from perdure.actors.replay.outcome import Outcome, keep
from perdure.actors.replay.reasons import why_down
from perdure.actors.replay.referred import Referred
from perdure.actors.state import apply, compact
from perdure.caps.budget import Budget
from perdure.errors import LedgerDamaged
from perdure.ledger import records
from perdure.ledger.images import state_hash
from perdure.ledger.records import Dead, Lane, Life, Record
from perdure.ledger.rows import ActorRow, born
from perdure.ledger.steprecords import UNASKED
from perdure.mailbox.control import CANCELLED
from perdure.mailbox.dead import crashed_ask
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import Replace

if TYPE_CHECKING:
    from perdure.actors.editions import Editions
    from perdure.ledger.values import Codec

Id = tuple[int, int]
ORPHAN = ActorRow("", "", 1, 0, {}, b"", 0, Life.ENDED, 0, 0, 0, 0, "")


class Past:
    """A fold of the journal: `add` takes the records in order.

    To turns that run again it is what the book is to those of a run: `cell`, `find`, `codec`.
    """

    def __init__(
        self,
        code_of: CodeOf,
        stored: Callable[[int], ActorRow | None],
    ) -> None:
        self.codes: Codes = Codes(self, code_of)
        self.blobs = Referred()
        self.stored = stored  # the rows of those that ended
        self.cells: dict[int, Cell] = {}
        self.names: dict[str, int] = {}
        self.below: dict[int, dict[int, None]] = {}  # children by supervisor, in order of birth
        self.messages: dict[Id, Envelope] = {}  # that wait in an inbox
        self.births = Births()  # in turns under way
        self.unmet: dict[str, Cell] = {}  # births that the turn now run has not come to
        self.marks: dict[int, set[str]] = {}  # names, by actor
        self.budgets = Budgets()
        self.time = self.attempt = 0  # of the turn that runs now
        self.seq = 0

    # --- code

    @property
    def editions(self) -> Editions:
        """Which code each actor runs."""
        return self.codes.editions

    @property
    def codec(self) -> Codec:
        """What writes values: whatever any code has."""
        return self.codes.editions.newest.codec

    # --- what a book offers

    def cell(self, id: int) -> Cell:
        """An actor; one that ended is read from its row."""
        found = self.cells.get(id)
        if found is None:
            row = self.stored(id) or ORPHAN
            found = Cell(id, row, self.editions.of(id, row.class_name))
            found.images = {}
        return found

    def find(self, address: str) -> int:
        """The id that answers to an address, 0 if none does or its birth is still to be met."""
        return 0 if address in self.unmet else self.names.get(address, 0)

    def address(self, id: int) -> str:
        """The address of an actor, '' for the kernel and the outside."""
        return self.cell(id).address if id else ""

    def now_ns(self) -> int:
        """Ledger time as of the turn that runs."""
        return self.time

    def keep_step(self, cell: Cell, env: Envelope, key: str, step: Step) -> None:
        """Remember a birth that the turn now run has come to."""
        steps = env.steps = env.steps or {}
        step.chance = next(iter(steps.values())).chance if steps else self.attempt
        steps[key] = step

    @property
    def budget(self) -> Budget:
        """The run's budget after the records so far."""
        return self.budgets.now

    # --- records

    def add(self, record: Record) -> None:
        """Have one more record be past."""
        seq, body = record.seq, record.body
        self.seq = seq
        effect = _EFFECTS.get(type(body))
        if effect is not None:
            effect(self, seq, body)
        if body.sends:
            deliver(self, seq, body)

    def _run(self, seq: int, body: records.Run) -> None:
        self.budgets.change(seq, body.time, Budget(body.tokens_limit))

    def _open(self, seq: int, body: records.Open | records.Fork) -> None:
        """A process died: its objects are gone, and the turns that it was at."""
        self.codes.opened(body.code_hash)
        for cell in self.cells.values():
            cell.run(self.editions.of(cell.id, cell.class_name))
            cell.seq = seq

    def _fork(self, seq: int, body: records.Fork) -> None:
        self._open(seq, body)
        for id, init in body.inits:
            self.cell(id).init = init

    def _birth(self, seq: int, body: records.Birth) -> None:
        who = (body.address, body.class_name, body.version, body.parent)
        row = born(*who, body.spec, body.init, body.life)
        self.editions.born(seq, body.parent)
        cell = self.cells[seq] = Cell(seq, row, self.editions.of(seq, body.class_name))
        cell.images = {}
        self.names[body.address] = seq
        self.below.setdefault(body.parent, {})[seq] = None
        if body.parent:
            above = self.cell(body.parent)
            by = above.parent if "parent" in above.spec else body.parent  # a spawned one's parent
            self.births.add(by, cell, None if body.step is None else body.step[1:3])

    def _turn(self, seq: int, body: records.Turn) -> None:
        cell = self.cell(body.actor)
        env = self._consume(cell, seq, body.message)
        if env is not None and env.lane == Lane.USER:
            cell.attempts, cell.turns = 0, cell.turns + 1
        elif env is not None and isinstance(cell.edition.codec.decode(env.body), Replace):
            cell.actor = None  # the state is another one, from outside of it
        if body.delta:
            apply(cell.images, body.delta)  # type: ignore[arg-type]
            cell.state_hash = state_hash(cell.state_hash, body.delta)
            actor = cell.actor
            if actor is not None:
                compact(actor, cell.images)  # type: ignore[arg-type]
        if cell.state_hash != body.state_hash:
            raise LedgerDamaged(f"the state hash of record {seq} does not follow its delta.", seq)
        cell.version = body.version or cell.version
        if body.rejected is not None:
            cell.actor = None  # what the handler changed in memory was never committed
        cell.last = seq
        if body.marks:
            self.marks.setdefault(cell.id, set()).update(body.marks)
        for id, spec, init in body.specs:
            child = self.cell(id)
            child.spec, child.init = spec, init
        self.codes.renew(cell)
        if body.life is not None:
            cell.change_life(body.life)
            cell.reason = why_down(body, self.codec) or cell.reason
        self._change_lives(seq, body)
        if body.answer is not None:
            reply, ok, value = body.answer
            self._answer(reply, ok, value, seq, body.time)

    def _crash(self, seq: int, body: records.Crash) -> None:
        cell = self.cell(body.actor)
        env = self.messages.get(body.message)
        cell.actor, cell.life, cell.reason, cell.seq = None, Life.DOWN, body.reason, seq
        cell.fall()
        if env is not None and env.lane == Lane.CONTROL:
            self._consume(cell, seq, body.message)
        elif any((row[0], row[1]) == body.message for row in body.dead):
            self.births.over(cell.id, body.message)
            cell.attempts = 0
        else:
            cell.attempts += 1
        self.codes.renew(cell)
        self._change_lives(seq, body)

    def _consume(self, cell: Cell, seq: int, id: Id) -> Envelope | None:
        """A message is over; returns it."""
        self.births.over(cell.id, id)
        cell.seq = seq  # the next attempt begins after it
        return self.messages.pop(id, None)

    def _change_lives(self, seq: int, body: Any) -> None:
        for row in body.dead:
            self.bury(seq, body, Dead(*row))
        for id, incarnation, life in getattr(body, "lives", ()):
            cell = self.cell(id)
            cell.life, cell.incarnation = life, incarnation
            if life in (Life.STOPPED, Life.ENDED):
                cell.actor, cell.attempts = None, 0
            if life == Life.ENDED:
                self._end(cell)

    def _end(self, cell: Cell) -> None:
        if self.names.get(cell.address) == cell.id:
            del self.names[cell.address]
        self.below.get(cell.parent, {}).pop(cell.id, None)
        self.cells.pop(cell.id, None)
        self.marks.pop(cell.id, None)
        self.births.ended(cell.id)
        self.codes.ended(cell.id)

    def _intent(self, seq: int, body: records.Intent) -> None:
        self.budgets.reserve(seq, body)
        self._keep(body, Outcome("intent", body, seq))

    def _result(self, seq: int, body: records.Result) -> None:
        self.budgets.settle(seq, body)
        if not body.ok and self.codec.decode(body.value)[0] == UNASKED:
            return  # no handler came to it: it is no step of the turn that ends
        if body.ok:
            self.cell(body.actor).attempts = 0  # a newly journaled result is progress
        step = Outcome("done", body, seq)
        step.sends = body.sends
        step.settle(body.ok, body.value, seq, body.time)
        self._keep(body, step)

    def _ask(self, seq: int, body: records.Ask) -> None:
        step = Outcome("asked", body, seq)
        step.sends = body.sends
        self._keep(body, step)

    def _keep(self, body: Any, step: Outcome) -> None:
        env = self.messages.get(body.message)
        if env is not None:
            keep(env, body, step)

    def _answer(self, reply: Any, ok: bool, value: bytes, seq: int, time: int) -> None:
        env = self.messages.get((reply[1], reply[2])) if reply[0] else None
        step = env.steps.get(reply[3]) if env is not None and env.steps else None
        if isinstance(step, Outcome) and step.phase != "done":
            step.settle(ok, value, seq, time)

    def bury(self, seq: int, body: Any, dead: Dead, env: Envelope | None = None) -> None:
        """A message is a dead letter; whoever asked with it has that for an answer."""
        env = env or self.messages.pop((dead.seq, dead.index), None)
        if env is not None and env.reply is not None:
            value = self.codec.encode(crashed_ask(dead))
            self._answer(env.reply, False, value, seq, body.time)

    def _stall(self, seq: int, body: records.Stall) -> None:
        cell = self.cell(body.actor)
        cell.actor, cell.seq = None, seq
        self.codes.renew(cell)

    def _cancel(self, seq: int, body: records.Cancel) -> None:
        for id, _, _ in body.lives:
            self.cell(id).reason = str(CANCELLED)
        self._change_lives(seq, body)

    def _verdict(self, seq: int, body: records.Verdict) -> None:
        cell = self.cell(body.actor)
        cell.seq = seq if body.key is None else seq + 1  # where its step's result is
        cell.attempts = cell.attempts if body.verdict == "again" else 0
        self._change_lives(seq, body)
        env = None if body.message is None else self.messages.get(body.message)
        if env is not None and body.verdict == "forget":
            env.steps = None
        if body.message is not None and body.verdict in ("forget", "dead", "kills_process"):
            self.births.over(cell.id, body.message)

    def _restore(self, seq: int, body: records.Restore) -> None:
        cell = self.cell(body.actor)
        apply(cell.images, body.delta)  # type: ignore[arg-type]
        cell.actor, cell.state_hash, cell.last = None, body.state_hash, seq


_EFFECTS: dict[type[Any], Callable[[Past, int, Any], None]] = {
    records.Run: Past._run, records.Open: Past._open, records.Fork: Past._fork,
    records.Birth: Past._birth, records.Turn: Past._turn, records.Crash: Past._crash,
    records.Intent: Past._intent, records.Result: Past._result, records.Ask: Past._ask,
    records.Stall: Past._stall, records.Verdict: Past._verdict, records.Restore: Past._restore,
    records.Cancel: Past._cancel, **EFFECTS,
}  # fmt: skip
