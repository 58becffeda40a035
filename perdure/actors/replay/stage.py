"""What stands for the kernel while a recorded turn runs again: answers from the journal, no effect.

Verbs, births and supervisors' decisions go through the same code as in a run; only the parts that
reach out of a turn are exchanged here.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, cast

import pykka

from perdure.actors.cell import Cell
from perdure.actors.futures import Future
from perdure.actors.lifecycle import Lifecycle
from perdure.actors.lives import Lives
from perdure.actors.replay.failures import raised_again
from perdure.actors.replay.loop import NeverWakes, ReplayLoop
from perdure.actors.replay.outcome import Outcome
from perdure.actors.replay.past import Past
from perdure.actors.replay.turn import ReplayTurn
from perdure.actors.spawning import Spawning
from perdure.actors.steps import Steps, failure_of
from perdure.actors.supervising import Supervising
from perdure.actors.turn import NS
from perdure.caps.tool import Tool
from perdure.ledger.records import Send
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
        self.spawning = Spawning(kernel)
        self.steps = RecordedSteps(kernel)
        self.pressure = SimpleNamespace(hard_max=INBOX_HARD_MAX)
        self.news = SimpleNamespace(report=lambda cell, text: None)
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
    ) -> Cell:
        stage = _stage(self.kernel)
        cell = stage.book.unmet.pop(address, None)
        asked = (class_name, spec, init)
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
        self, turn: Any, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Any]:
        key = turn.key(tool.name)
        digest = self._digest(tool.name, args, kwargs)
        step = turn.known(key)
        if step is None:
            _stage(self.kernel).book.budget.reserve(tool.price(args, kwargs))  # refused, perhaps
        said = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())])
        step = self._same(turn, key, step, digest, f"{tool.name}({said})")
        future = self._given_back(turn, step, tool.function)
        if not future.is_done:
            if turn.pending is None:
                turn.pending = []
            turn.pending.append(future)
        return future

    def ask(
        self, turn: Any, address: str, body: bytes, type: str, timeout: float | None
    ) -> Future[Any]:
        key = turn.key(f"ask {address}")
        digest = blake2b(body, digest_size=16).digest()
        said = repr(self.kernel.book.codec.decode(body))
        step = self._same(turn, key, turn.known(key), digest, f"ask({address}, {said})")
        self._take_along(turn, address, key, step)
        future = self._given_back(turn, step, None)
        if turn.comes_later(step):
            env = turn.envelope
            turn.asks = turn.asks or {}
            turn.asks[turn.cell.id, env.seq, env.index, key] = future
        return future

    def _take_along(self, turn: ReplayTurn, address: str, key: str, step: Outcome) -> None:
        """What the handler had told the same recipient went out with the question."""
        sends = [Send(*wire) for wire in step.sends]
        at = next(i for i, send in enumerate(sends) if send.reply and send.reply[3] == key)
        dead = sends[at].dead
        if dead is not None and dead[1] == "no such actor":
            return
        book = _stage(self.kernel).book
        earlier = [env for env in turn.out if book.address(env.to) == address]
        turn.out = [env for env in turn.out if book.address(env.to) != address]
        recorded = [send.body for send in sends[:at]]
        if turn.is_of_this(step) and recorded != [env.body for env in earlier]:
            shown = [repr([book.codec.decode(body) for body in recorded])]
            shown.append(repr([book.codec.decode(env.body) for env in earlier]))
            turn.diverge(f"what is sent to {address} before it is asked", *shown)

    def _same(
        self, turn: ReplayTurn, key: str, step: Outcome | None, digest: bytes, asked: str
    ) -> Outcome:
        """The recorded step, if it is what the handler asks for."""
        if step is None:
            steps = [each for each in turn.envelope.steps or {} if each not in turn.asked]
            there = f"not begun; of this message there are also {', '.join(steps)}"
            turn.diverge(f"step {key}", there if steps else "not begun", asked)
        elif step.digest != digest:
            recorded = f"other arguments (record {step.seq}, digest {step.digest.hex()})"
            turn.diverge(f"step {key}", recorded, f"{asked} (digest {digest.hex()})")
        return cast("Outcome", step)

    def _given_back(self, turn: ReplayTurn, step: Outcome, function: Any) -> Future[Any]:
        if step.phase != "done":
            return Unanswered()
        value: Any = self.kernel.book.codec.decode(step.value)
        if step.ok:
            return turn.give_back(step, Future.done(value))
        kind, text = value
        is_first = turn.comes_later(step)  # the handler saw what the tool raised, not what is kept
        error = raised_again(kind, text, function) if is_first else failure_of(kind, text)
        return turn.give_back(step, Future.failed(error))

    def sleep(self, turn: Any, seconds: float) -> Future[None]:
        if seconds <= 0 or not turn.is_awaited:
            return Future.done(None)
        future: Future[None] = Future()
        due = turn.time_ns + int((_stage(self.kernel).loop.elapsed + seconds) * NS)
        _stage(self.kernel).loop.at(due, 0, lambda: future.set(None))
        return future
