"""What stands for the kernel while a recorded turn runs again: answers from the journal, no effect.

Verbs, births and supervisors' decisions go through the same code as in a run; only the parts that
reach out of a turn are exchanged here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pykka

from perdure.actors.asks import Asks
from perdure.actors.calls import Asked, in_words, said_in_words
from perdure.actors.cell import Cell
from perdure.actors.delayed import due_ns
from perdure.actors.failures import failed_again, failure_of
from perdure.actors.futures import Future
from perdure.actors.lifecycle import Lifecycle
from perdure.actors.lives import Lives
from perdure.actors.particulars import read
from perdure.actors.replay.failures import raised_again
from perdure.actors.replay.loop import NeverWakes, ReplayLoop
from perdure.actors.replay.outcome import Outcome
from perdure.actors.replay.past import Past
from perdure.actors.replay.turn import CancelledStep, ReplayTurn
from perdure.actors.signals import Signals
from perdure.actors.sleeping import SLEEP, Sleeping
from perdure.actors.spawning import Spawning
from perdure.actors.steps import Steps
from perdure.actors.supervising import Supervising
from perdure.actors.watching import Watching
from perdure.caps.tool import tool_of
from perdure.ids import KERNEL_ID
from perdure.ledger.blobs import fetch, is_reference
from perdure.ledger.records import Send
from perdure.ledger.steprecords import ABANDONED, CANCELLED
from perdure.limits import INBOX_HARD_MAX

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Stage:
    """The kernel of turns that run again; `book` is the past, `loop` where handlers run."""

    turn: ReplayTurn  # that runs now

    def __init__(self, past: Past) -> None:
        kernel = cast("Kernel", self)
        self.book = past
        self.seed = 0
        self.loop = ReplayLoop()
        self.lives = BornLives(kernel)
        self.lifecycle = Lifecycle(kernel)
        self.supervising = Supervising(kernel)
        self.signals = Signals(kernel)
        self.watching = Watching(kernel)
        self.spawning = Spawning(kernel)
        self.steps = RecordedSteps(kernel)
        self.asks = RecordedAsks(kernel)
        self.sleeping = RecordedSleeps(kernel)
        self.pressure = SimpleNamespace(hard_max=INBOX_HARD_MAX)
        self.news = SimpleNamespace(report=lambda cell, seq, text: None)
        self.outside = SimpleNamespace(post=lambda out, origin: 0)  # its record is there already

    def ask_kernel(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call it: there is one thread."""
        return function(*args)


def _stage(kernel: Any) -> Stage:
    """What the parts of a kernel have for one here."""
    return cast("Stage", kernel)


class BornLives(Lives):
    """Births that are recorded: whoever asks for one gets that, or diverges."""

    def children(self, parent: int) -> list[Cell]:
        book = _stage(self.kernel).book
        return [book.cell(id) for id in book.below.get(parent, ())]

    def birth(
        self,
        parent: Cell | None,
        address: str,
        class_name: str,
        version: int,
        spec: dict[str, Any],
        init: bytes,
        life: int,
        step: tuple[int, int, int, str] | None = None,
    ) -> Cell:
        stage = _stage(self.kernel)
        cell = stage.book.unmet.pop(address, None)
        asked = (class_name, spec, stage.book.blobs.small(init))
        recorded = None if cell is None else (cell.class_name, cell.spec, cell.init)
        if cell is None or recorded != asked:
            sides = _birth(stage.book, recorded), _birth(stage.book, asked)
            stage.turn.diverge(f"the birth of {address}", *sides)
        return cast("Cell", cell)


def _birth(book: Past, parts: tuple[str, dict[str, Any], bytes] | None) -> str:
    if parts is None:
        return "none"
    return f"{parts[0]}, init {book.codec.decode(parts[2])!r}, {parts[1]!r}"


class Unanswered(Future[Any]):
    """A step that has no recorded outcome: a `def` handler that waits for it waits in vain."""

    def _wait(self, timeout: float | None) -> NoReturn:
        if timeout is None:
            raise NeverWakes
        raise pykka.Timeout(f"{timeout} seconds")


class RecordedSteps(Steps):
    """Steps whose outcomes are in the journal. Nothing is executed: no tool, no model, no clock."""

    def _run(
        self,
        turn: Any,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[Any]:
        tool = tool_of(function)
        if tool.takes_key:
            tool.check_given(kwargs)
        encoded = self.kernel.book.codec.encode_call(args, kwargs, tool.name)
        asked = Asked.of(turn.key(tool.name), tool, args, kwargs, encoded)
        step = turn.known(asked.key)
        if step is None:
            _stage(self.kernel).book.budget.reserve(tool.price(args, kwargs))  # refused, perhaps
        step = same(turn, asked.key, step, asked.digest, asked.words)
        future = given_back(turn, asked.key, step, is_instant=tool.is_instant)
        if not future.is_done and (step.phase != "done" or turn.comes_later(step)):
            if turn.pending is None:
                turn.pending = []
            turn.pending.append(future)
        return future

    def now(self, turn: Any) -> datetime:
        key = turn.key("now")
        step = same(turn, key, turn.known(key), b"", "now()")
        found: datetime = self.kernel.book.codec.decode(step.value)
        return found


class RecordedAsks(Asks):
    """Asks whose answers are in the journal. Nothing is sent."""

    def ask(
        self, turn: Any, address: str, body: bytes, type: str, timeout: float | None
    ) -> Future[Any]:
        key = turn.key(f"ask {address}")
        digest = blake2b(body, digest_size=16).digest()
        turn.refuse_again(address)
        said, step = said_in_words(f"ask {address}", body), turn.known(key)
        if step is None and timeout is not None:
            due_ns(turn.time_ns, timeout, f"ask({address}): a timeout")  # refused, perhaps
        step = same(turn, key, step, digest, said)
        before = len(turn.out)
        self._take_along(turn, address, key, step)
        turn.taken = (turn.taken or 0) + before - len(turn.out) + 1
        return _waited_for(turn, key, step)

    def _take_along(self, turn: ReplayTurn, address: str, key: str, step: Outcome) -> None:
        """What the handler had told the same recipient went out with the question."""
        sends = [Send(*wire) for wire in step.sends]
        asks = [i for i, send in enumerate(sends) if send.reply and send.reply[3] == key]
        at = asks[0] if asks else len(sends)  # one that was refused sends only what was before it
        dead = sends[at].dead if asks else None
        if dead is not None and dead[1] == "no such actor":
            return
        book = _stage(self.kernel).book
        told = [env.lane and book.address(env.to) == address for env in turn.out]
        earlier = [env for env, is_told in zip(turn.out, told, strict=True) if is_told]
        turn.out = [env for env, is_told in zip(turn.out, told, strict=True) if not is_told]
        recorded = [send.body for send in sends[:at] if send.sender != KERNEL_ID]
        if (
            turn.is_of_this(step)
            and not step.is_anew
            and recorded != [book.blobs.small(env.body) for env in earlier]
        ):
            shown = [repr([book.codec.decode(body) for body in recorded])]
            shown.append(repr([book.codec.decode(env.body) for env in earlier]))
            turn.diverge(f"what is sent to {address} before it is asked", *shown)


class RecordedSleeps(Sleeping):
    """Sleeps whose ends are in the journal. They take no time."""

    def sleep(self, turn: Any, seconds: float) -> Future[None]:
        key = turn.key(SLEEP)
        step = turn.known(key)
        if step is None:
            if seconds <= 0:
                return Future.done(None)
            due_ns(turn.time_ns, seconds, "a sleep")  # refused, perhaps
        step = same(turn, key, step, b"", f"sleep({seconds:g})")
        return _waited_for(turn, key, step)


def _waited_for(turn: ReplayTurn, key: str, step: Outcome) -> Future[Any]:
    """What somebody else settles: the turn waits for it, too, unless who did gave up."""
    future = given_back(turn, key, step)
    if isinstance(future, CancelledStep):
        return future  # who waited for it was cancelled, or it ends with its task
    if step.phase == "done" and step.began != step.seq and turn.comes_later(step):
        env = turn.envelope
        turn.asks = turn.asks or {}
        turn.asks[turn.cell.id, env.seq, env.index, key] = cast("Any", future)
    return future


def same(turn: ReplayTurn, key: str, step: Outcome | None, digest: bytes, words: str) -> Outcome:
    """The recorded step, if it is what the handler asks for."""
    if step is None:
        steps = [each for each in turn.envelope.steps or {} if each not in turn.asked]
        there = f"not begun; of this message there are also {', '.join(steps)}"
        turn.diverge(f"step {key}", there if steps else "not begun", words)
    elif step.digest != digest:
        turn.diverge(f"step {key}", f"{_recorded(turn, step)} (record {step.began})", words)
    return cast("Outcome", step)


def _recorded(turn: ReplayTurn, step: Outcome) -> str:
    """A recorded call or ask in words."""
    asks = [send for send in (Send(*wire) for wire in step.sends) if send.reply]
    if asks:
        body, read = asks[0].body, _stage(turn.kernel).book.codec.read_blob
        whole = fetch(body, read) if is_reference(body) else body
        return said_in_words(step.name.rpartition("#")[0], whole)
    return in_words(step.name, step.asked)


def given_back(
    turn: ReplayTurn, key: str, step: Outcome, *, is_instant: bool = False
) -> Future[Any]:
    """The outcome of a recorded step, as its handler met it."""
    if step.phase != "done":
        return Unanswered()
    codec = turn.cell.edition.codec
    if step.ok:
        done = Future.done(codec.decode(step.value))
        return turn.give_back(step, done, is_instant=is_instant)
    value: Any = read(step.value, codec)
    is_first = turn.comes_later(step)  # the handler saw what the tool raised, not what is kept
    is_cancelled = value[0] in (CANCELLED, ABANDONED)
    if not is_first:
        return failed_again(key, *value)
    make = failure_of if is_cancelled else raised_again
    return turn.give_back(step, Future.failed(make(*value)), is_instant=is_instant)
