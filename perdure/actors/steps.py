"""Steps: outside results inside a turn, journaled as they come and given back to later attempts."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Step
from perdure.actors.futures import Future
from perdure.actors.turn import Turn
from perdure.actors.work import Stalled, StepWork
from perdure.caps.tool import Tool, tool_of
from perdure.errors import AskTimeout, Crashed, Deadlock, Reject, StepFailed, UsageError
from perdure.ledger.records import Kind

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Steps:
    """The verbs of a turn that have a result from outside it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    # --- once and call

    def once(
        self,
        turn: Turn,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[Any]:
        """Run a function that only reads, unless its result is journaled already."""
        tool = tool_of(function)
        if tool.effect != "read":
            raise UsageError(
                f"once({tool.name}) has effect {tool.effect!r}, and once() is for reading. "
                "Use self.call, which journals its intent first."
            )
        return self._run(turn, tool, args, kwargs)

    def call(self, turn: Turn, function: Callable[..., Any], args: dict[str, Any]) -> Future[Any]:
        """Call a tool: its intent is durable before it starts, unless it only reads."""
        if getattr(function, "__perdure_tool__", None) is None:
            raise UsageError(
                f"call({getattr(function, '__name__', function)!s}) is not a tool. "
                "Decorate it with @tool(name, effect=…), or use self.once if it only reads."
            )
        return self._run(turn, tool_of(function), (), args)

    def _run(
        self, turn: Turn, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Future[Any]:
        key = turn.key(tool.name)
        digest = self._digest(tool.name, args, kwargs)
        step = turn.envelope.steps.get(key) if turn.envelope.steps else None
        if step is not None:
            check_digest(turn, key, step, digest)
            if step.phase == "done" and step.ok:
                return Future.done(self.kernel.book.codec.decode(step.value))
            if step.phase == "intent" and not tool.redone:
                raise Stalled(
                    f"{tool.name} ({tool.effect}) is in doubt: record {step.seq} says it was about "
                    "to happen, and nothing says whether it did."
                )
        # a failed step is begun anew: it has an intent of its own, and is paid for again
        is_new = step is None or step.phase == "done"
        return StepWork(self, turn, tool, key, digest, args, kwargs, is_new).start()

    def _digest(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        asked = self.kernel.book.codec.encode((args, kwargs), f"the arguments of {name}")
        return blake2b(asked, digest_size=16).digest()

    # --- what came of a step

    def intend(self, work: StepWork) -> int:
        """Record that a step is about to happen, its tokens reserved; kernel thread."""
        book, turn = self.kernel.book, work.turn
        reserved = book.budget.reserve(work.tokens)  # raises when it does not fit: no record then
        seq = book.append(Kind.INTENT, (*self._head(work), work.tool.effect, work.tokens))
        if work.tokens:
            book.set_budget(reserved)
        step = Step("intent", work.tool.name, work.digest, seq, work.tokens)
        book.keep_step(turn.cell, turn.envelope, work.key, step)
        return seq

    def conclude(self, work: StepWork, ok: bool, value: bytes, took: int) -> bool:
        """Record what a step ended with; False when its turn is over and it changed nothing."""
        book, turn = self.kernel.book, work.turn
        cell, env = turn.cell, turn.envelope
        if not turn.open or cell.turn is not turn:
            book.late(cell, env, turn.incarnation, f"result of {work.tool.name}")
            return False
        old = env.steps.get(work.key) if env.steps else None
        reserved = old.reserved if old is not None else 0
        seq = book.append(Kind.RESULT, (*self._head(work), ok, value, reserved, reserved, took))
        if reserved:
            book.set_budget(book.budget.settle(reserved, reserved))
        step = Step("done", work.tool.name, work.digest, seq)
        step.ok, step.value = ok, value
        book.keep_step(cell, env, work.key, step)
        if ok and cell.attempts:
            cell.attempts = 0  # a newly journaled result is progress
            cell.row_dirty = True
            book.touch(cell)
        if reserved:
            self.kernel.budget_freed()  # last: who waits for room appends records of its own
        return True

    def _head(self, work: StepWork) -> tuple[Any, ...]:
        turn, env = work.turn, work.turn.envelope
        message = (env.seq, env.index)
        who = (self.kernel.book.now_ns(), (), turn.cell.id, turn.incarnation, turn.attempt)
        return (*who, message, work.key, work.tool.name, work.digest)


def check_digest(turn: Turn, key: str, step: Step, digest: bytes) -> None:
    """Stall the turn when it asks for something else than what is recorded under that key."""
    if step.digest != digest:
        raise Stalled(
            f"step {key} of message {turn.envelope.id} was recorded with other arguments "
            f"(record {step.seq}): the handler is no function of its state, message and steps."
        )


def failure_of(kind: str, text: str) -> Exception:
    """The exception for a recorded failure."""
    if kind == "Crashed":
        return Crashed(text)
    if kind == "AskTimeout":
        return AskTimeout(text)
    if kind == "Deadlock":
        return Deadlock(text)
    if kind == "Reject":
        return Reject(text)
    return StepFailed(kind, text)
