"""One try at one message: what the handler may see and do. It only collects intents."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from perdure.actors.delayed import due_ns
from perdure.actors.exits import exit_signal, watch
from perdure.actors.extra import Extra
from perdure.actors.futures import Future
from perdure.actors.marking import marked
from perdure.actors.refused import refuse
from perdure.errors import Refused, TurnClosed, UsageError
from perdure.ids import Ref, check_artifact, resolve
from perdure.ledger.records import Artifact
from perdure.ledger.stepkeys import Keys
from perdure.limits import BLOB_BYTES_MIN, TURN_INTENTS_MAX
from perdure.mailbox.admission import full
from perdure.mailbox.control import reason_text
from perdure.mailbox.envelope import Envelope, ReplyTo, plain_envelope
from perdure.mailbox.index import COST_DEFAULT, holding_cost

if TYPE_CHECKING:
    from perdure.actors.cell import Cell
    from perdure.actors.kernel import Kernel
    from perdure.actors.waiting import Wait

NS = 1_000_000_000


class Turn:
    """The `self._turn` of an actor while it handles one message.

    Verbs append to plain lists, which the kernel reads when the handler is done; only steps reach
    the kernel before that. `open` turns false when the turn ends or is fenced, and from then on
    every verb raises `TurnClosed`.
    """

    __slots__ = (
        "asks", "attempt", "began_with", "cell", "ended", "envelope", "extras", "incarnation",
        "index", "is_fenced", "is_rare", "kernel", "keys", "kind", "lent", "on_loop", "open", "out",
        "pending", "task", "tasks", "time_ns", "waits",
    )  # fmt: skip

    def __init__(
        self, kernel: Kernel, cell: Cell, envelope: Envelope, kind: str, on_loop: bool, time_ns: int
    ) -> None:
        self.kernel = kernel
        self.cell = cell
        self.envelope = envelope
        self.kind = kind  # receive, start, stop, depart, control, killed, stale
        self.incarnation = cell.incarnation
        self.attempt = cell.attempts + 1
        self.on_loop = on_loop
        self.time_ns = time_ns
        self.began_with = kernel.book.budget
        self.out: list[Envelope] = []
        self.open = True
        self.is_fenced = False
        self.ended = False  # its slot is free
        self.lent = False  # its slot serves others while it waits
        self.waits = 0  # kernel waits that it is in now
        if kind == "receive":
            self.is_rare, self.index = False, cell.index
        else:
            self.is_rare, self.index = True, 0.0
        self.task: Any = None  # of the runner that awaits its handler
        self.keys: Keys | None = None  # of its steps
        self.pending: list[Future[Any]] | None = None  # steps begun
        self.asks: dict[ReplyTo, Wait[Any]] | None = None  # that it waits for, or could
        self.tasks: dict[Any, str] | None = None  # that its handler started, with their branches
        self.extras: dict[str, Any] | None = None  # what few turns have

    artifacts: Extra[dict[str, tuple[Artifact, bytes]]] = Extra()  # by path
    result: Extra[bytes] = Extra()
    stop_reason: Extra[str] = Extra()
    declined: Extra[str] = Extra()  # why, of a start
    leaving: Extra[str] = Extra()  # why its actor ends, in its last turn
    reply: Extra[tuple[ReplyTo, bool, bytes]] = Extra()  # of a supervisor, to whom it owes one
    life: Extra[int] = Extra()  # what a supervisor's own life becomes
    lives: Extra[list[tuple[int, int, int]]] = Extra()
    notes: Extra[list[str]] = Extra()
    marks: Extra[list[str]] = Extra()
    specs: Extra[list[tuple[int, dict[str, Any], bytes]]] = Extra()
    watches: Extra[list[tuple[str, str, str]]] = Extra()  # (verb, address, monitor's id)
    chance: Extra[random.Random] = Extra()
    refused: Extra[list[tuple[int, str, str]]] = Extra()  # sends, by a full inbox: (place, to, why)
    taken: Extra[int] = Extra()  # sends that are in records already: asks, and what went with them

    # --- what it knows

    @property
    def address(self) -> str:
        return self.cell.address

    @property
    def sender(self) -> Ref | None:
        id, book = self.envelope.sender, self.kernel.book
        # a sender that was unloaded is loaded again, which only the kernel thread may do
        address = book.address(id) if self.on_loop else self.kernel.ask_kernel(book.address, id)
        return Ref(address) if address else None

    @property
    def budget(self) -> int | None:
        return self.began_with.left

    @property
    def random(self) -> random.Random:
        if self.chance is None:
            env = self.envelope
            attempt = self._on_kernel(self.kernel.steps.chance)
            seed = f"{self.kernel.seed}/{self.cell.id}/{env.seq}.{env.index}/{attempt}"
            digest = blake2b(seed.encode(), digest_size=8).digest()
            self.chance = random.Random(int.from_bytes(digest, "big"))
        return self.chance

    def now(self) -> datetime:
        self._check()
        now: datetime = self._on_kernel(self.kernel.steps.now)
        return now

    # --- intents

    def tell(
        self,
        to: str | Ref,
        message: object,
        cost: float | None = None,
        est: float | None = None,
        qos: str | None = None,
        delay: float | None = None,
    ) -> None:
        if not self.open:
            raise TurnClosed(closed(self))
        kernel, out = self.kernel, self.out
        book = kernel.book
        address = to if type(to) is str else to.address  # type: ignore[union-attr]
        id = book.names.get(address)
        if id is None:
            address, id = self._find(address)
        body, row = book.codec.draft(message)
        name = type(message).__name__
        target = book.cells.get(id)
        inbox = None if target is None else target.inbox
        if inbox and len(inbox) >= kernel.pressure.hard_max and delay is None:
            refuse(self, address, full(address, len(inbox), kernel.pressure.hard_max))
        is_small = len(body) <= BLOB_BYTES_MIN
        if cost is None and qos is None and est is None and delay is None and id and is_small:
            env = plain_envelope(id, body, row, name, self.cell.id)
        else:
            env = self._envelope(id, address, body, name, cost, est, qos, delay)
        out.append(env)
        if len(out) > TURN_INTENTS_MAX:
            raise Refused(
                f"the turn of {self.cell.address} sends more than {TURN_INTENTS_MAX:,} messages. "
                "Send fewer per turn, or tell yourself to go on."
            )

    def _find(self, path: str) -> tuple[str, int]:
        """The address that a path stands for, and the id that answers to it, 0 if none does."""
        book = self.kernel.book
        address = resolve(self.cell.address, path)
        id = book.find(address)
        if id and id not in book.cells and self.on_loop:
            with book.watched():
                book.cell(id)  # to be sent to it will be loaded anyway: now, it is found once
        return address, id

    def _envelope(
        self,
        id: int,
        address: str,
        body: bytes,
        name: str,
        cost: float | None,
        est: float | None,
        qos: str | None,
        delay: float | None,
    ) -> Envelope:
        try:
            c = holding_cost(cost, qos)
        except ValueError as error:
            raise UsageError(f"tell({address}): {error}") from None
        due = None
        if delay is not None and not delay <= 0:
            due = due_ns(self.kernel.book.now_ns(), delay, f"a delay to {address}")
        dead = None if id else (address, "no such actor")
        return Envelope(
            id, body, name, self.cell.id, cost=c or COST_DEFAULT, est=est, due=due, dead=dead
        )

    def ask(self, to: str | Ref, message: object, timeout: float | None = None) -> Future[Any]:
        self._check()
        address = resolve(self.cell.address, to if isinstance(to, str) else to.address)
        body = self.kernel.book.codec.encode(message)
        name = type(message).__name__
        asked: Future[Any] = self._on_kernel(self.kernel.asks.ask, address, body, name, timeout)
        return asked

    def once(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Any]:
        self._check()
        return self.kernel.steps.once(self, function, args, kwargs)

    def call(self, function: Callable[..., Any], args: dict[str, Any]) -> Future[Any]:
        self._check()
        return self.kernel.steps.call(self, function, args)

    def sleep(self, seconds: float) -> Future[None]:
        self._check()
        slept: Future[None] = self._on_kernel(self.kernel.sleeping.sleep, seconds)
        return slept

    def artifact(self, path: str, data: str | bytes) -> Future[str]:
        self._check()
        raw = data.encode() if isinstance(data, str) else bytes(data)
        check_artifact(path)
        digest = blake2b(raw, digest_size=32).digest()
        self.is_rare = True
        artifacts = self.artifacts or {}
        artifacts.pop(path, None)  # of one path, the last is the one
        artifacts[path] = Artifact(path, digest, len(raw)), raw
        self.artifacts = artifacts
        return Future.done(f"artifacts/{path}")

    def spawn(self, actor: Any, name: str, init: dict[str, Any], options: dict[str, Any]) -> Ref:
        self._check()
        ref: Ref = self._on_kernel(self.kernel.spawning.spawn, actor, name, init, options)
        return ref

    def stop(self, reason: str = "normal") -> None:
        self._check()
        self.is_rare = True
        self.stop_reason = reason_text(reason)

    def exit(self, to: str | Ref, reason: str) -> None:
        self._check()
        address = resolve(self.cell.address, to if isinstance(to, str) else to.address)
        self._on_kernel(exit_signal, address, reason_text(reason))

    def watch(self, verb: str, to: str | Ref, monitor: str) -> str:
        self._check()
        return watch(self, verb, to if isinstance(to, str) else to.address, monitor)

    def finish(self, result: object = None) -> None:
        self._check()
        self.is_rare = True
        self.result = self.kernel.book.codec.encode(result, "the result of finish()")

    def mark(self, name: str) -> None:
        self._check()
        self.is_rare = True
        self.marks = marked(self, name)

    # --- how

    def key(self, name: str) -> str:
        """The key of the next step of that name in the task that asks."""
        if self.keys is None:
            self.keys = Keys()
        branch = ""
        if self.tasks:  # a turn without tasks of its own need not know which one this is
            branch = self.tasks.get(asyncio.current_task(), "")
        return self.keys.next(branch, name)

    def _check(self) -> None:
        if not self.open:
            raise TurnClosed(closed(self))

    def _on_kernel(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run on the kernel thread: directly, or from a pool thread by asking and waiting."""
        if self.on_loop:
            return function(self, *args)
        return self.kernel.ask_kernel(self._if_open, function, *args)

    def _if_open(self, function: Callable[..., Any], *args: Any) -> Any:
        """For a thread that asked: its turn may have been fenced before the kernel came to it."""
        self._check()
        return function(self, *args)


def closed(turn: Turn) -> str:
    """Why a verb of a turn that is over is refused."""
    return (
        f"the turn of {turn.cell.address} on message {turn.envelope.id} is over: "
        "await every task before the handler returns."
    )
