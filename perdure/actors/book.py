"""The run in memory: loaded cells, the open group, and what each record changes.

Everything here happens on the kernel thread. A record is appended and its effect applied in one
go, so memory is always the fold of the journal including what is not durable yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from perdure.actors.blobs import Blobs
from perdure.actors.cell import Cell, Step
from perdure.actors.controllane import ControlLane
from perdure.actors.dropping import Dropping
from perdure.actors.editions import Edition, Editions
from perdure.actors.group import OpenGroup
from perdure.actors.held import Pedigree
from perdure.actors.routing import route
from perdure.caps.budget import Budget
from perdure.clock import Clock, LedgerClock
from perdure.errors import Broken, LedgerDamaged, UnknownActor
from perdure.ids import KERNEL_ID
from perdure.ledger.journal import Pack, pack_payload
from perdure.ledger.keys import (
    BUDGET_KEY,
    actor_key,
    child_key,
    dead_key,
    inbox_key,
    name_key,
    step_key,
    timer_key,
)
from perdure.ledger.records import Dead, Life
from perdure.ledger.rows import ActorRow, DeadRow, pack_row, unpack_row
from perdure.ledger.states import read_state
from perdure.ledger.watching import read_watches
from perdure.limits import BLOB_BYTES_MIN, INBOX_SOFT_MAX
from perdure.mailbox.dead import crashed_ask
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.ledger.group import Store


class Book:
    """What is true in this run now, and how a record changes it."""

    def __init__(self, store: Store, edition: Edition, clock: Clock) -> None:
        self.store, head = store, store.head()
        self.editions = Editions(edition)
        self.codec = edition.codec  # writes whatever any code has, and reads as the newest
        self.clock = LedgerClock(clock, head.time_ns)
        self.seq = self.durable = head.seq
        self.open = OpenGroup(1, head.seq + 1)
        self.blobs = Blobs(self)
        self.dropping = Dropping(self)
        self.codec.read_blob = self.blobs.read
        self.cells: dict[int, Cell] = {}
        self.parked: dict[Cell, None] = {}  # stalled or suspended, or once were
        self.names: dict[str, int] = {}  # of loaded cells; 0 for a name given up but not durably
        self.budget = Budget(None)
        self.pedigree = Pedigree(store)
        self.dead_letters = 0
        self.dead_letters_to: str | None = None
        self.now_ns = self.clock.now_ns
        self.soft_max = INBOX_SOFT_MAX
        self.on_pressure: Callable[[int, Cell], None] = lambda sender, target: None
        self.on_ready: Callable[[Cell], None] = lambda cell: None
        self.on_answer: Callable[[ReplyTo, bool, bytes, int], None] = lambda *args: None
        self.on_timer: Callable[[int, Envelope], None] = lambda due, env: None
        self.on_steps_gone: Callable[[Cell, Envelope], None] = lambda cell, env: None
        self.on_kernel_message: Callable[[Envelope], None] = lambda env: None
        self.on_damage: Callable[[LedgerDamaged], None] = lambda error: None

    # --- the journal

    def append(self, kind: int, fields: tuple[Any, ...], pack: Pack = pack_payload) -> int:
        """Append a record to the open group; returns its seq."""
        payload = pack(fields)
        group = self.open
        group.records.append((kind, payload))
        group.bytes += len(payload)
        self.seq = seq = self.seq + 1
        return seq

    def touch(self, cell: Cell) -> None:
        """Have a cell looked at when the group is sealed."""
        group = self.open
        cell.seq = self.seq
        if cell.touched != group.serial:
            cell.touched = group.serial
            group.cells.append(cell)

    def seal(self) -> OpenGroup:
        """Take the open group away and start the next one."""
        sealed = self.open
        sealed.time_ns = self.now_ns()
        sealed.drop = self.dropping.next()
        self.blobs.leave(self.seq, sealed.blobs)
        self.open = OpenGroup(sealed.serial + 1, self.seq + 1)
        self.open.time_ns = sealed.time_ns
        return sealed

    # --- who is who

    def cell(self, id: int) -> Cell:
        """The cell of an actor, loaded if need be; raises `Broken` for an id that never was."""
        if (found := self.cells.get(id)) is not None:
            return found
        raw = self.store.get(actor_key(id))
        if raw is None:
            raise Broken(f"there is no actor {id}")
        row = unpack_row(ActorRow, raw)
        cell = self.cells[id] = Cell(id, row, self.editions.of(id, row.class_name))
        if row.stalled or row.suspended:
            self.parked[cell] = None
        if row.watches:
            cell.watches = read_watches(self.store, id)
        if row.life != Life.ENDED:  # until then the address is its own, and nobody else's
            self.names[row.address] = id
        return cell

    def find(self, address: str) -> int:
        """The id that answers to an address now, 0 if none does. Safe on any thread."""
        id = self.names.get(address)
        if id is None:
            raw = self.store.get(name_key(address))
            id = int.from_bytes(raw, "big") if raw is not None else 0
        return id

    def cell_at(self, address: str) -> Cell:
        """The cell at an address; raises `UnknownActor`."""
        id = self.find(address)
        if not id:
            raise UnknownActor(f"there is no actor at {address}. `perdure tree RUN` lists them.")
        return self.cell(id)

    def address(self, id: int) -> str:
        """The address of an actor, '' for the kernel and the outside."""
        return self.cell(id).address if id else ""

    def load_state(self, cell: Cell) -> None:
        """Have a cell's committed field images in memory."""
        if cell.images is not None:
            return
        with self.watched():
            cell.take_state(read_state(self.store, cell.id))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell of damage whatever reads it: nobody may take it for a failure of a handler."""
        try:
            yield
        except LedgerDamaged as error:
            self.on_damage(error)
            raise

    def adopt(self, id: int, row: ActorRow) -> Cell:
        """The cell of an actor whose birth record was just appended."""
        self.editions.born(id, row.parent)
        cell = self.cells[id] = Cell(id, row, self.editions.of(id, row.class_name))
        cell.row_dirty = True
        cell.images = {}
        self.names[row.address] = id
        self.open.puts[name_key(row.address)] = id.to_bytes(8, "big")
        self.open.puts[child_key(row.parent, id)] = b""
        self.touch(cell)
        return cell

    def unload(self, cells: Iterable[Cell]) -> None:
        """Drop cells that are idle and whose rows are durable."""
        for cell in cells:
            del self.cells[cell.id]
            if self.names.get(cell.address) in (cell.id, 0):  # 0: given up, and durably so
                del self.names[cell.address]

    # --- messages

    def wires(self, out: list[Envelope], author: int) -> list[tuple[Any, ...]]:
        """Messages as the record of `author` that is appended next holds them."""
        last = reference = b""
        for env in out:
            if len(env.body) > BLOB_BYTES_MIN:
                if env.body != last:  # one document to a hundred actors is hashed once
                    last, reference = env.body, self.blobs.small(env.body)
                env.body = reference
        return [env.wire(author) for env in out]

    def address_out(self, out: list[Envelope]) -> None:
        """Turn sends to actors that take no more messages into dead letters, before recording."""
        for env in out:
            if env.to and env.dead is None and env.lane:
                cell = self.cells.get(env.to) or self.cell(env.to)
                if cell.life >= Life.STOPPED:
                    env.dead, env.to, env.plain = (cell.address, "not running"), 0, False
                elif cell.is_supervisor:
                    route(env, cell, self.codec.decode)

    def deliver(self, seq: int, out: list[Envelope]) -> None:
        """Put the messages of the record just appended where they belong."""
        group = self.open
        serial = group.serial
        for index, env in enumerate(out):
            env.seq, env.index, env.group = seq, index, serial
            if env.dead is not None:
                self.bury(Dead(seq, index, env.dead[0], env.dead[1], 0), env.reply)
            elif env.due is not None:
                group.puts[timer_key(env.due, seq, index)] = b""
                self.on_timer(env.due, env)
            elif env.to == KERNEL_ID:
                self.on_kernel_message(env)
            else:
                group.sent[env] = None
                self.enqueue(self.cells.get(env.to) or self.cell(env.to), env)

    def enqueue(self, cell: Cell, env: Envelope) -> None:
        """Add a message to the right lane; the first one makes its actor ready."""
        if not env.lane:
            if cell.control is None:
                cell.control = ControlLane()
            cell.control.append(env)
            self.on_ready(cell)
            return
        inbox = cell.inbox
        if inbox:
            inbox.append(env)
            if len(inbox) > self.soft_max:
                self.on_pressure(env.sender, cell)
            return
        if inbox is None:
            cell.inbox = deque((env,))
        else:
            inbox.append(env)
        self.on_ready(cell)

    def consume(self, cell: Cell, env: Envelope) -> None:
        """Take a message out of its inbox for good, with the steps that belong to it."""
        lane = cell.inbox if env.lane else cell.control
        if not lane:
            raise Broken(f"message {env.id} is not in the inbox of {cell.address}")
        lane.remove(env)  # it is the first, as a rule
        group = self.open
        if env.group == group.serial:
            group.sent.pop(env, None)
        else:
            group.deletes.append(inbox_key(cell.id, env.lane, env.seq, env.index))
        if env.steps:
            self.drop_steps(cell, env)

    def drop_steps(self, cell: Cell, env: Envelope) -> None:
        """Forget the steps of a message."""
        self.on_steps_gone(cell, env)
        for key, step in (env.steps or {}).items():
            if step.stored:
                place = step.place or step_key(cell.id, env.seq, env.index, key)
                self.open.deletes.append(place)
        env.steps = None

    def keep_step(self, cell: Cell, env: Envelope, key: str, step: Step) -> None:
        """Remember a step of a message, in memory and at the next seal in the table."""
        turn, steps = cell.turn, env.steps
        if steps:
            step.chance = next(iter(steps.values())).chance
            old = steps.get(key)
            if old is not None:
                step.stored, step.place = old.stored, old.place
                if old.phase != "done":
                    step.begun = old.begun  # it is the same execution
        else:
            steps = env.steps = {}
            if turn is not None:
                step.chance = turn.attempt
        step.met = turn
        steps[key] = step
        self.open.steps.append((cell, env, key, step))
        self.touch(cell)

    def bury(self, dead: Dead, reply: ReplyTo | None) -> None:
        """Make a message a dead letter; whoever asked with it gets `Crashed`."""
        row = DeadRow(dead.to, dead.reason, dead.attempts, self.now_ns(), self.seq)
        self.open.puts[dead_key(dead.seq, dead.index)] = pack_row(row)
        self.dead_letters += 1
        if reply is not None:
            self.on_answer(reply, False, self.codec.encode(crashed_ask(dead)), self.seq)

    def set_budget(self, budget: Budget) -> None:
        """Adopt a new token budget and have it written."""
        self.budget = budget
        self.open.puts[BUDGET_KEY] = pack_row(budget)
