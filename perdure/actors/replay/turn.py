"""A recorded turn that runs again: its verbs are those of any turn, its outcomes are recorded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from perdure.actors.cell import Cell
from perdure.actors.futures import Future
from perdure.actors.marking import check_room, one_more
from perdure.actors.refused import place, refuse
from perdure.actors.replay.compare import Difference
from perdure.actors.replay.outcome import Outcome
from perdure.actors.turn import Turn
from perdure.actors.turns import settle
from perdure.errors import Ignore, Reject, StepCancelled
from perdure.ids import Ref, resolve
from perdure.ledger.records import Crash
from perdure.ledger.records import Turn as TurnRecord
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.replay.stage import Stage


class CancelledStep(Future[Any]):
    """A step that was cancelled with the last who awaited it: that comes again by itself."""

    _awaiting = 0

    def _suspend(self) -> Generator[Any, None, Any]:
        self._awaiting += 1
        try:
            return (yield from super()._suspend())
        except asyncio.CancelledError:
            if self._awaiting == 1 and self._outcome is None:
                self.set_exception(StepCancelled("StepCancelled", ""))
                self.exception()  # it is seen: who waited was told by the cancellation itself
            raise
        finally:
            self._awaiting -= 1


class Diverged(BaseException):
    """A handler does something else than what is recorded; unwinds it past `except Exception`."""


class ReplayTurn(Turn):
    """The `self._turn` of an actor whose recorded turn runs again."""

    def __init__(
        self, stage: Stage, cell: Cell, env: Envelope, kind: str, body: TurnRecord | Crash
    ) -> None:
        super().__init__(cast("Kernel", stage), cell, env, kind, True, body.time - body.took)
        self.incarnation = body.incarnation
        self.attempt = body.attempt
        self.record = body
        self.stage = stage
        self.is_awaited = True  # its handler runs on the loop, where outcomes come later
        self.asked: set[str] = set()
        self.difference: Difference | None = None
        self.still_refused = deque(body.refused)  # sends that it has not come to

    @property
    def budget(self) -> int | None:
        steps = (self.envelope.steps or {}).values()
        own = [cast("Outcome", step).began for step in steps if self.is_of_this(step)]
        seq = min(own, default=self.stage.book.seq + 1)
        return self.stage.book.budgets.at(self.time_ns, seq).left

    def tell(self, to: str | Ref, message: object, *args: Any) -> None:
        if self.still_refused and (len(args) < 4 or args[3] is None):  # one with a delay never is
            self.stage.book.codec.encode(message)  # what cannot be stored is refused for that
            self.refuse_again(resolve(self.cell.address, to if isinstance(to, str) else to.address))
        super().tell(to, message, *args)

    def refuse_again(self, address: str) -> None:
        """Raise what the next send raised when the turn first ran, if it did."""
        if self.still_refused and self.still_refused[0][:2] == (place(self), address):
            refuse(self, address, self.still_refused.popleft()[2])

    def mark(self, name: str) -> None:
        self._check()
        self.is_rare = True
        marks, known = one_more(self, name), self.stage.book.marks.get(self.cell.id, ())
        if name not in known:
            check_room(self, len(known))
        self.marks = marks

    # --- steps

    def known(self, key: str) -> Outcome | None:
        """What is recorded under a step key; the handler has come to it."""
        self.asked.add(key)
        step = self.envelope.steps.get(key) if self.envelope.steps else None
        return step if isinstance(step, Outcome) else None

    def is_of_this(self, step: Any) -> bool:
        """Whether this try at the message began the step."""
        mine = (self.incarnation, self.attempt)
        return isinstance(step, Outcome) and step.attempt == mine and step.seq > self.cell.seq

    def comes_later(self, step: Outcome) -> bool:
        """Whether the outcome of a step came while this turn was going on.

        One of the instant at which the turn began anew is what it had been suspended for.
        """
        is_after = (step.time, step.time_begun) >= (self.time_ns, self.time_ns)
        return step.seq > self.cell.seq and is_after

    def give_back(
        self, step: Outcome, outcome: Future[Any], *, is_instant: bool = False
    ) -> Future[Any]:
        """The outcome of a step, when it came."""
        # an ask that its own record settles, or what an earlier attempt missed
        is_at_once = step.is_here or (step.sends and step.seq == step.began)
        if not self.is_awaited or is_at_once or not self.comes_later(step):
            return outcome
        if is_instant and self.keys is not None and not self.keys.is_breath():
            return outcome
        self.stage.loop.not_before(step.time_begun)
        error = outcome.exception()
        if isinstance(error, StepCancelled):
            return CancelledStep()
        future: Future[Any] = Future()

        def settle() -> None:
            if error is None:
                future.set(outcome.get())
            else:
                future.set_exception(error)

        self.stage.loop.at(step.time, step.seq, settle)
        return future

    # --- divergence

    def diverge(self, what: str, recorded: str, replayed: str) -> None:
        """Note the first difference, and unwind the handler."""
        if self.difference is None:
            self.difference = Difference(what, recorded, replayed)
        raise Diverged

    def never(self) -> Difference:
        """What a handler waits for that does not end, in words."""
        steps = self.envelope.steps or {}
        open_ = [key for key in self.asked if key in steps and steps[key].phase != "done"]
        text = f"the handler waits for {', '.join(open_) or 'what no record brings'}"
        return Difference("the end of the turn", type(self.record).__name__.lower(), text)

    def left_out(self) -> Difference | None:
        """What this try did when it first ran, and the handler did not come to."""
        for key, step in (self.envelope.steps or {}).items():
            if key not in self.asked and self.is_of_this(step):
                what = f"step {key} (record {step.seq})"
                return Difference(what, "begun", "the handler does not come to it")
        if self.still_refused:
            at, address, text = self.still_refused[0]
            what = f"message {at + 1}, to {address}"
            return Difference(what, f"refused: {text}", "the handler does not come to it")
        for address, cell in self.stage.book.unmet.items():
            if cell.id > self.cell.seq:
                what = f"the birth of {address} (record {cell.id})"
                return Difference(what, f"a {cell.class_name}", "none")
        return None


async def awaited(
    turn: ReplayTurn, function: Callable[..., Any], args: tuple[Any, ...], mode: str
) -> Any:
    """A handler on the loop, and the steps that it began and left to themselves."""
    answer = await function(*args) if mode == "async" else function(*args)
    if turn.pending or turn.asks:
        await settle(turn)
    return answer


def is_answer(error: BaseException, kind: str) -> bool:
    """Whether what a handler raises is no crash."""
    return isinstance(error, Reject) or (isinstance(error, Ignore) and kind == "start")
