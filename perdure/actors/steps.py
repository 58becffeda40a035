"""Steps: outside results inside a turn, journaled as they come and given back to later attempts."""

from __future__ import annotations

from asyncio import Task
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from perdure.actors.calls import Asked, kept
from perdure.actors.cell import Step
from perdure.actors.doubts import check_digest, in_doubt, is_abandoned, stalled, unmet
from perdure.actors.futures import Future
from perdure.actors.held import HELD
from perdure.actors.late import late
from perdure.actors.missed import given_back
from perdure.actors.turn import NS, Turn
from perdure.actors.unsettled import charge
from perdure.actors.work import StepWork
from perdure.caps.tool import tool_of
from perdure.errors import UsageError
from perdure.ledger.journal import pack_plain
from perdure.ledger.records import Kind
from perdure.ledger.stepkeys import is_past, last_begun
from perdure.ledger.steprecords import ABANDONED, CANCELLED

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Steps:
    """The verbs of a turn that have a result from outside it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.tool_of = tool_of  # which knows stand-ins in a test
        self.under_way: set[StepWork] = set()  # beside their handlers
        self._pausing: set[StepWork] = set()  # until they are tried again

    # --- once and call

    def once(
        self,
        turn: Turn,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[Any]:
        """Run a function that only reads, unless its result is journaled already."""
        tool = self.tool_of(function)
        if tool.effect != "read":
            raise UsageError(
                f"once({tool.name}) has effect {tool.effect!r}, and once() is for reading. "
                "Use self.call, which journals its intent first."
            )
        return self._run(turn, function, args, kwargs)

    def call(self, turn: Turn, function: Callable[..., Any], args: dict[str, Any]) -> Future[Any]:
        """Call a tool: its intent is durable before it starts, unless it only reads."""
        if getattr(function, "__perdure_tool__", None) is None:
            raise UsageError(
                f"call({getattr(function, '__name__', function)!s}) is not a tool. "
                "Decorate it with @tool(name, effect=…), or use self.once if it only reads."
            )
        return self._run(turn, function, (), args)

    def _run(
        self,
        turn: Turn,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Future[Any]:
        tool = self.tool_of(function)
        if tool.takes_key:
            tool.check_given(kwargs)
        encoded = self.kernel.book.codec.encode_call(args, kwargs, tool.name)
        asked = Asked.of(turn.key(tool.name), tool, args, kwargs, encoded)
        step = turn.envelope.steps.get(asked.key) if turn.envelope.steps else None
        if step is None:
            return self._begin(turn, asked, None)
        step.met = turn
        check_digest(turn, asked.key, step, asked.digest, asked.words)
        if step.phase == "done":
            recorded = given_back(turn, asked.key, step)
            if recorded is not None:
                return recorded
            if not is_abandoned(self.kernel.book, step):
                # begun anew: it has an intent of its own, and is paid for again
                return self._begin(turn, asked, None)
        return self._take_up(turn, asked, step)

    def _begin(self, turn: Turn, asked: Asked, step: Step | None) -> Future[Any]:
        """Have a step happen, unless this run is a fork that may only read."""
        if self.kernel.book.pedigree.holds(asked.tool.effect):
            raise stalled(turn, f"{asked.words} ({asked.tool.effect}) is {HELD}.")
        work = StepWork(self, turn, asked, step)
        if step is not None:
            step.work = work  # an attempt after this one must find it under way, and not the first
        return work.start()

    def is_final(self, turn: Turn, key: str, step: Step) -> bool:
        """Whether a recorded failure is past: the handler saw it, and went on."""
        keys = turn.keys
        if step.again or keys is None:
            return False
        if keys.begun is None:
            recorded = turn.envelope.steps or {}
            keys.begun = last_begun((k, s) for k, s in list(recorded.items()) if s.met is not turn)
        return is_past(key, step.missed or step.seq, keys.begun)

    def _take_up(self, turn: Turn, asked: Asked, step: Step) -> Future[Any]:
        """A step that was about to happen, and of which no outcome is known."""
        work = step.work
        is_open = step.phase == "intent"
        if work is not None and work.has_begun:
            return StepWork(self, turn, asked, step).inherit(work)
        if asked.tool.redone or (work is not None and is_open):  # it never began: not in doubt
            return self._begin(turn, asked, step if is_open else None)
        raise stalled(turn, in_doubt(asked, step))

    # --- time and chance

    def now(self, turn: Turn) -> datetime:
        """The ledger time of a turn's question for it, the same on every attempt."""
        book, env = self.kernel.book, turn.envelope
        key = turn.key("now")
        step = env.steps.get(key) if env.steps else None
        if step is None:
            now = datetime.fromtimestamp(book.now_ns() / NS, UTC)
            value = book.codec.encode(now)
            head = self.head(turn, key, "now", b"")
            seq = book.append(Kind.RESULT, (*head, True, value, 0, 0, 0))
            step = Step("done", "now", b"", seq)
            step.ok, step.value = True, value
            step.begun = 0  # a look at the clock is no going on: see `is_past`
            book.keep_step(turn.cell, env, key, step)
            self.progress(turn)
        found: datetime = book.codec.decode(step.value)
        return found

    def chance(self, turn: Turn) -> int:
        """The attempt that seeds a turn's chance: the one that journaled the first step, if any.

        Until there is one, each attempt has fresh chance; from then on none contradicts it.
        """
        steps = turn.envelope.steps
        return next(iter(steps.values())).chance if steps else turn.attempt

    def idempotency_key(self, work: StepWork) -> str:
        """What makes redoing a call doing it once: of run, message and step, and nothing else."""
        env, book = work.turn.envelope, self.kernel.book
        step = env.steps.get(work.asked.key) if env.steps else None
        run_id = book.pedigree.run_id_at(step.seq if step is not None else book.seq)
        text = f"{env.seq}.{env.index} {work.asked.key}"
        return blake2b(text.encode(), key=run_id, digest_size=16).hexdigest()

    # --- what came of a step

    @property
    def working(self) -> set[Turn]:
        """The turns that wait for work, not for time or an answer: they are not at rest."""
        return {work.turn for work in self.under_way if work.turn.open}

    @property
    def tasks(self) -> list[Task[None]]:
        """Of tools that are coroutines and under way."""
        return [work.task for work in self.under_way if work.task is not None]

    def began(self, work: StepWork) -> None:
        """A step is under way beside its handler."""
        self.under_way.add(work)
        self.kernel.interruptions.goes_on(work.turn)

    def ended(self, work: StepWork) -> None:
        """A step is under way no longer, or nobody waits for it any more."""
        self.under_way.discard(work)
        if self.kernel.dispatch.is_stopping:
            self.kernel.ending.turn_ended()

    def pause(self, work: StepWork, seconds: float, again: Callable[[], None]) -> None:
        """Try a step again in some seconds."""

        def due() -> None:
            self._pausing.discard(work)
            again()

        self._pausing.add(work)
        self.kernel.timers.after(seconds, due)

    @property
    def is_pausing(self) -> bool:
        """Whether a step is about to be tried again."""
        return any(work.turn.open for work in self._pausing)

    def intend(self, work: StepWork) -> int:
        """Record that a step is about to happen, its tokens reserved; kernel thread."""
        book, turn, asked = self.kernel.book, work.turn, work.asked
        tool, env = asked.tool, turn.envelope
        reserved = book.budget.reserve(work.tokens)  # raises when it does not fit: no record then
        old = env.steps.get(asked.key) if env.steps else None
        head = self.head(turn, asked.key, tool.name, asked.digest)
        redone = tool.redone
        what = (tool.effect, work.tokens, kept(asked.encoded), redone)
        seq = book.append(Kind.INTENT, (*head, *what), pack_plain)
        if work.tokens:
            book.set_budget(reserved)
        step = Step("intent", tool.name, asked.digest, seq, work.tokens)
        step.effect, step.redone, step.intent = tool.effect, redone, seq
        step.tries = 0 if old is None else old.tries
        step.asked, step.work = asked.encoded, work
        book.keep_step(turn.cell, env, asked.key, step)
        return seq

    def conclude(
        self,
        work: StepWork,
        ok: bool,
        value: bytes,
        took: int,
        *,
        again: bool = False,
        spent: int | None = None,
    ) -> bool:
        """Record what a step ended with; False when its turn is over and it changed nothing."""
        book, turn, asked = self.kernel.book, work.turn, work.asked
        cell, env = turn.cell, turn.envelope
        if not turn.open or cell.turn is not turn:
            self.late(work)
            return False
        old = env.steps.get(asked.key) if env.steps else None
        reserved = old.reserved if old is not None else 0
        intent = old.intent if old is not None and old.effect else 0
        tries = (0 if old is None else old.tries) + work.has_begun
        step = Step("done", asked.tool.name, asked.digest, 0)
        step.ok, step.value, step.tries, step.again = ok, book.blobs.small(value), tries, again
        step.begun, step.intent, step.asked, step.work = work.since, intent, asked.encoded, work
        step.effect, step.redone = asked.tool.effect, asked.tool.redone
        head = self.head(turn, asked.key, asked.tool.name, asked.digest)
        tokens = (reserved if spent is None else spent, reserved)
        arguments = None if intent else kept(asked.encoded)
        what = (took, arguments, intent, work.since, tries, again)
        fields = (*head, ok, step.value, *tokens, *what)
        step.seq = book.append(Kind.RESULT, fields, pack_plain)
        if reserved:
            book.set_budget(book.budget.settle(reserved, tokens[0]))
            cell.spend(tokens[0])
        book.keep_step(cell, env, asked.key, step)
        if ok:
            self.progress(turn)
        if reserved:
            self.kernel.budget_freed()  # last: who waits for room appends records of its own
        return True

    def cancelled(self, work: StepWork) -> None:
        """Record that who waited for a step was cancelled."""
        is_doubtful = work.has_begun and not work.asked.tool.redone
        kind = ABANDONED if is_doubtful else CANCELLED
        how = "it was under way" if work.has_begun else "it had not begun"
        value = self.kernel.book.codec.encode((kind, f"{work.asked.key} was cancelled: {how}", ""))
        self.conclude(work, False, value, 0, spent=None if work.has_begun else 0)

    def late(self, work: StepWork) -> None:
        """Record that an outcome came when its turn had gone on without it, or was over."""
        turn, name = work.turn, work.asked.tool.name
        late(self.kernel.book, turn, f"result of {name}")

    def progress(self, turn: Turn) -> None:
        """A newly journaled result gives the message all its attempts again; a start has none."""
        cell = turn.cell
        self.kernel.interruptions.progress(turn.envelope)
        if cell.attempts and turn.envelope.lane:
            cell.attempts = 0
            cell.row_dirty = True
            self.kernel.book.touch(cell)

    def head(self, turn: Turn, key: str, name: str, digest: bytes) -> tuple[Any, ...]:
        """What every record of a step begins with."""
        env = turn.envelope
        who = (self.kernel.book.now_ns(), (), turn.cell.id, turn.incarnation, turn.attempt)
        return (*who, (env.seq, env.index), key, name, digest)

    # --- before a turn closes

    def stalls(self, turn: Turn) -> bool:
        """Park the actor instead of closing a turn that does not account for what is recorded."""
        reason = (turn.keys.stalled if turn.keys is not None else "") or unmet(turn)
        if reason:
            self.kernel.closing.end(turn)
            self.kernel.stall(turn.cell, turn.envelope, reason)
        else:
            charge(self.kernel, turn.cell, turn.envelope)
        return bool(reason)
