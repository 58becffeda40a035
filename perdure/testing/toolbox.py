"""What tools do in a trial, real ones and scripted ones, and a log of it outside the ledger."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from hashlib import blake2b
from typing import Any, NamedTuple

from perdure.actors.calls import in_words
from perdure.actors.kernel import Kernel
from perdure.actors.recovery import read_lineage
from perdure.caps.tool import KEY_PARAMETER, Tool, tool_of
from perdure.ledger.group import Store
from perdure.ledger.journal import read_record
from perdure.ledger.records import Result
from perdure.ledger.standins import StandInCodec
from perdure.ledger.steprecords import CANCELLED, REFUTED
from perdure.ledger.values import Codec
from perdure.testing.pauses import NS, Pauses
from perdure.testing.scripts import Call, Scripted, Slow


class Done(NamedTuple):
    """A call that succeeded: the step's own key, the tool, the call in words, what it gave."""

    key: str
    tool: Tool
    words: str
    value: Any


class Toolbox:
    """The tools of a trial. It outlives the processes of a run, as the world outside does."""

    def __init__(self, scripts: Iterable[Scripted] = ()) -> None:
        self.scripts = {script.tool: script for script in scripts}
        self.done: list[Done] = []
        self.again: list[Done] = []  # those whose success was recorded before they began
        self._handed: dict[str, list[Any]] = {}  # outcomes of scripts, by step
        self._known: Counter[str] = Counter()  # how many of them the ledger knew of at first
        self._heard: Counter[str] = Counter()  # and how many it knows of, or is about to
        self._recorded: set[str] = set()  # steps whose success the ledger knows of
        self._pauses: Pauses | None = None
        self._began_ns = 0
        self._codec = Codec()
        for script in self.scripts.values():
            script.begin()

    def begin(self, kernel: Kernel, pauses: Pauses) -> None:
        """Serve a process: what its ledger does not know of is done again as it was done."""
        self._pauses, self._codec = pauses, kernel.book.codec
        self._began_ns = kernel.book.clock.clock.wall_ns()
        counts, recorded = heard(kernel.book.store)
        self._known |= counts  # what was dropped from the ledger since it is known as well
        self._recorded |= recorded
        self._heard = self._known.copy()
        kernel.steps.tool_of = self.tool_of

    def tool_of(self, function: Callable[..., Any]) -> Tool:
        """The tool that a function is here."""
        tool = tool_of(function)
        script = self.scripts.get(function)
        act = self._logged(tool) if script is None else self._scripted(tool, script)
        return tool._replace(function=act, takes_key=True)

    def value_of(self, key: str) -> Any | None:
        """What a step gave, in a list, if it has happened; None if it has not."""
        return next(([each.value] for each in reversed(self.done) if each.key == key), None)

    # --- doing it

    def _logged(self, tool: Tool) -> Callable[..., Any]:
        function = tool.function
        if inspect.iscoroutinefunction(function):

            async def act(*args: Any, **given: Any) -> Any:
                key, kwargs = _split(given)
                value = await function(*args, **(given if tool.takes_key else kwargs))
                return self._note(key, tool, args, kwargs, value)
        else:

            @wraps(function)
            def act(*args: Any, **given: Any) -> Any:
                key, kwargs = _split(given)
                value = function(*args, **(given if tool.takes_key else kwargs))
                return self._note(key, tool, args, kwargs, value)

        return act

    def _scripted(self, tool: Tool, script: Scripted) -> Callable[..., Any]:
        async def act(*args: Any, **given: Any) -> Any:
            key, kwargs = _split(given)
            pauses = self._pauses
            assert pauses is not None
            seconds = (pauses.kernel.book.clock.clock.wall_ns() - self._began_ns) / NS
            script.calls.append(Call(args, kwargs, seconds))
            outcome = self._outcome(script, key, args, kwargs)
            if isinstance(outcome, Slow):
                await pauses.sleep(outcome.seconds)
                outcome = outcome.outcome
            if inspect.isawaitable(outcome):
                outcome = await outcome
            if isinstance(outcome, BaseException) or _is_exception(outcome):
                raise outcome
            return self._note(key, tool, args, kwargs, outcome)

        return act

    def _outcome(
        self, script: Scripted, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The same outcome as before for a try that the ledger does not know of."""
        if script.is_function:
            return script.next(args, kwargs)
        handed = self._handed.setdefault(key, [])
        at = self._heard[key]
        self._heard[key] += 1
        if at >= len(handed):
            handed.append(script.next(args, kwargs))
            return handed[-1]
        return handed[at]

    def _note(
        self, key: str, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any
    ) -> Any:
        encoded = self._codec.encode((args, kwargs))
        done = Done(key, tool, in_words(tool.name, encoded), value)
        if key in self._recorded:
            self.again.append(done)
        self.done.append(done)
        return value


def heard(store: Store) -> tuple[Counter[str], set[str]]:
    """How many outcomes of each step a ledger has, and the steps that have succeeded there."""
    counts: Counter[str] = Counter()
    successes: set[str] = set()
    codec = StandInCodec()
    codec.read_blob = store.blob
    head = store.head()
    run_id = read_lineage(store).header.run_id if head.seq else b""
    for raw in store.records(head.cut + 1):
        body = read_record(raw).body
        if isinstance(body, Result) and not body.missed:
            key = step_key(run_id, body.message, body.key)
            if body.ok:
                successes.add(key)
            if body.ok or codec.decode(body.value)[0] not in (REFUTED, CANCELLED):
                counts[key] += 1
    return counts, successes


def step_key(run_id: bytes, message: tuple[int, int], key: str) -> str:
    """The idempotency key of a step of a run that is no fork."""
    text = f"{message[0]}.{message[1]} {key}"
    return blake2b(text.encode(), key=run_id, digest_size=16).hexdigest()


def _split(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kwargs = dict(given)
    return kwargs.pop(KEY_PARAMETER), kwargs


def _is_exception(outcome: Any) -> bool:
    return isinstance(outcome, type) and issubclass(outcome, BaseException)
