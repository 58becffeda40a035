"""One loaded actor as the kernel sees it: its rows, its inbox, its turn."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from perdure.actors.attempts import deadline_ns
from perdure.ledger.records import Life
from perdure.ledger.rows import ActorRow, StateRow, StepRow
from perdure.ledger.states import StateLog
from perdure.ledger.watching import Watches
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.actors.controllane import ControlLane
    from perdure.actors.editions import Edition
    from perdure.actors.turn import Turn
    from perdure.actors.work import StepWork

NO_HASH = bytes(16)


class Step:
    """A step of the message at the head: journaled, so that no attempt does it again."""

    __slots__ = (
        "again", "asked", "begun", "chance", "digest", "effect", "intent", "met", "missed", "name",
        "ok", "phase", "place", "redone", "reserved", "seq", "stored", "tries", "value", "work",
    )  # fmt: skip

    def __init__(self, phase: str, name: str, digest: bytes, seq: int, reserved: int = 0) -> None:
        self.phase = phase  # intent, asked, done
        self.name = name
        self.digest = digest
        self.seq = seq
        self.reserved = reserved
        self.ok = False
        self.value = b""
        self.stored = False  # whether the table has a row of it
        self.place = b""  # the key of that row, once it was needed
        self.begun = seq  # how far the journal was when it was begun
        self.intent = 0
        self.tries = 0
        self.chance = 1
        self.effect = ""
        self.redone = True
        self.again = False
        self.missed = 0  # the record by which its handler was cancelled before it got the outcome
        self.asked: bytes | None = None  # its arguments, if this process recorded them
        self.met: Turn | None = None  # the last turn that asked for it
        self.work: StepWork | None = None  # who does it, if this process does

    @classmethod
    def of(cls, row: StepRow) -> Step:
        """The step that a row of the table holds."""
        step = cls(row.phase, row.name, row.digest, row.seq, row.reserved)
        step.ok, step.value, step.stored = row.ok, row.value, True
        step.begun, step.intent, step.tries = row.begun, row.intent, row.tries
        step.chance, step.effect = row.chance, row.effect
        step.redone, step.again, step.missed = row.redone, row.again, row.missed
        return step

    def row(self) -> tuple[Any, ...]:
        """The step's table row, `StepRow`; a plain tuple is made in half the time."""
        return (
            self.phase, self.name, self.digest, self.ok, self.value, self.reserved, self.seq,
            self.begun, self.intent, self.tries, self.chance, self.effect, self.redone, self.again,
            self.missed,
        )  # fmt: skip


class Cell:
    """One loaded actor. Owned by the kernel thread; dropped when idle and durable."""

    __slots__ = (
        "actor",
        "address",
        "asleep",
        "attempts",
        "class_name",
        "cls",
        "control",
        "crashes",
        "deadline_ns",
        "dirty",
        "edition",
        "falls",
        "fell_at",
        "held",
        "holds",
        "id",
        "images",
        "inbox",
        "incarnation",
        "index",
        "init",
        "is_supervisor",
        "kept",
        "last",
        "life",
        "log",
        "migrates",
        "mode",
        "not_before",
        "parent",
        "reason",
        "renews",
        "restarts",
        "row_dirty",
        "seq",
        "spec",
        "stalled",
        "state_hash",
        "suspended",
        "tokens",
        "touched",
        "turn",
        "turns",
        "version",
        "watches",
    )

    def __init__(self, id: int, row: ActorRow, edition: Edition) -> None:
        self.id = id
        self.address = row.address
        self.class_name = row.class_name
        self.version = row.version
        self.run(edition)
        self.migrates = self.renews = False  # see `run`
        self.parent = row.parent
        self.spec: dict[str, Any] = row.spec
        self.deadline_ns = deadline_ns(row.spec)  # of one attempt; 0: it may take any time
        self.init = row.init
        self.incarnation = row.incarnation
        self.life = row.life
        self.crashes, self.restarts = row.crashes, row.restarts
        self.attempts, self.not_before = row.attempts, row.not_before
        self.reason = row.reason
        self.falls = row.falls  # crashes in a row, no message handled in between
        self.fell_at = row.fell_at
        self.images: dict[str, Any] | None = None  # committed state; None while unloaded
        self.log: StateLog | None = None  # of a large state
        self.state_hash = NO_HASH
        self.turns = 0
        self.last = id  # the record that its state is as of
        self.seq = 0  # of the last record that changed a row of this actor
        self.inbox: deque[Envelope] | None = None
        self.control: ControlLane | None = None
        self.turn: Turn | None = None
        self.asleep: dict[str, int] | None = None  # steps its head waits for, and whom it asked
        self.held = 0  # inboxes past their soft limit that this actor has sent to
        self.holds: dict[Cell, None] | None = None  # senders that wait for this inbox to drain
        self.stalled = row.stalled
        self.suspended = row.suspended  # the incarnation that takes no messages
        self.watches: Watches | None = None  # links and monitors; None: it has none
        self.tokens = row.tokens
        self.kept = row.kept
        self.dirty = False  # the state row must be written with the open group
        self.row_dirty = False  # likewise the actor row
        self.index = 0.0  # of its head, when it was put into the ready set
        self.touched = 0  # group in which it last did anything

    def run(self, edition: Edition) -> None:
        """Have the code of an edition: the next object is of its class.

        It `migrates` while its object is of another class version than its state; it `renews` when
        it has other code once its turn is over.
        """
        self.edition = edition
        self.cls: type[Actor] | None = edition.classes.get(self.class_name)
        self.is_supervisor = bool(getattr(self.cls, "__supervisor__", False))
        self.mode = "" if self.cls is None else self.cls.__declaration__.kind  # of `on_receive`
        self.actor: Actor | None = None  # the live object; None while unloaded

    def row(self) -> ActorRow:
        """The actor's table row."""
        return ActorRow(
            self.address,
            self.class_name,
            self.version,
            self.parent,
            self.spec,
            self.init,
            self.incarnation,
            self.life,
            self.crashes,
            self.restarts,
            self.attempts,
            self.not_before,
            self.reason,
            self.falls,
            self.fell_at,
            self.stalled,
            self.suspended,
            len(self.watches or ()),
            self.tokens,
            self.kept,
        )

    def take_state(self, found: tuple[StateRow, StateLog | None] | None) -> None:
        """Adopt the committed state read from the ledger; that of a new actor is none."""
        if found is None:
            self.images = {}
            return
        row, self.log = found
        self.images = row.images
        self.turns, self.last, self.state_hash = row.turns, row.seq, row.state_hash

    def spend(self, tokens: int) -> None:
        """Count tokens of its steps."""
        self.tokens += tokens
        self.row_dirty = True

    def fall(self) -> None:
        """Count a crash; a message handled since the last one ends the row of them."""
        self.falls = self.next_fall
        self.fell_at = self.turns

    @property
    def next_fall(self) -> int:
        """The number, among those in a row, of the crash that comes next."""
        return self.falls + 1 if self.fell_at == self.turns else 1

    def change_life(self, life: int) -> None:
        """Begin or end an incarnation; what ends leaves no object behind."""
        self.life = int(life)
        self.row_dirty = True
        if life != Life.RUNNING:
            self.actor = None

    def pending(self, seq: int, index: int) -> Envelope | None:
        """A message that it is handling, or will handle next; None for any other."""
        if self.inbox and self.inbox[0].seq == seq and self.inbox[0].index == index:
            return self.inbox[0]
        control = self.control or ()
        return next((env for env in control if env.seq == seq and env.index == index), None)

    @property
    def waiting(self) -> int:
        """Messages in the user lane."""
        return len(self.inbox) if self.inbox else 0

    @property
    def idle(self) -> bool:
        """Whether nothing is going on that only memory knows."""
        is_parked = self.stalled or self.suspended
        return not (self.turn or self.inbox or self.control or is_parked) and (
            not self.holds and not self.held
        )

    @property
    def is_alive(self) -> bool:
        """Whether it has a life, begun or about to."""
        return self.life in (Life.STARTING, Life.RUNNING)

    @property
    def is_suspended(self) -> bool:
        """Whether it takes no messages until it is told to go on: its life was suspended."""
        return self.suspended == self.incarnation and self.suspended != 0

    @property
    def is_running(self) -> bool:
        """Whether it takes messages."""
        return self.life == Life.RUNNING
