"""Scripted tools: what stands in for a tool or a model in a test, and what it was called with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from perdure.caps.tool import tool_of


class Slow(NamedTuple):
    """An outcome that comes after some seconds of ledger time."""

    seconds: float
    outcome: Any


def slow(seconds: float, outcome: Any = None) -> Slow:
    """An outcome of a script that takes `seconds` of ledger time: no test waits for it."""
    return Slow(seconds, outcome)


class Call(NamedTuple):
    """One call of a tool: its arguments by name where they were given so, and when it began."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    seconds: float  # of ledger time since the trial began


class ScriptOver(AssertionError):
    """A scripted tool was called more often than its script has outcomes."""


class Scripted:
    """What stands in for one tool: `scripted` makes it.

    `calls` are those that were made, in order. One object serves one trial after the other.
    """

    def __init__(
        self, tool: Callable[..., Any], script: Iterable[Any] | Callable[..., Any], repeat: bool
    ) -> None:
        self.tool = tool
        self.name = tool_of(tool).name
        self.calls: list[Call] = []
        self.wants_more = False  # it was called when its script was over
        self._answer = script if callable(script) else None
        self._outcomes = () if callable(script) else tuple(script)
        self._repeat = repeat
        self._taken = 0

    def __repr__(self) -> str:
        return f"<scripted {self.name}, {len(self.calls)} calls>"

    @property
    def is_function(self) -> bool:
        """Whether the script is a function of the arguments, and not a list."""
        return self._answer is not None

    def begin(self) -> None:
        """Begin anew: no calls yet."""
        self.calls.clear()
        self._taken, self.wants_more = 0, False

    def next(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The next outcome: a value, an exception to raise, or one of these that is `slow`."""
        if self._answer is not None:
            try:
                return self._answer(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - what it raises is what the call ends with
                return error
        at = min(self._taken, len(self._outcomes) - 1) if self._repeat else self._taken
        self._taken += 1
        if 0 <= at < len(self._outcomes):
            return self._outcomes[at]
        self.wants_more = True
        return ScriptOver(
            f"{self.name} was called {self._taken} times, and its script has "
            f"{len(self._outcomes)} outcomes. Add one, or say repeat=True for the last one again."
        )


def scripted(
    tool: Callable[..., Any], script: Iterable[Any] | Callable[..., Any], *, repeat: bool = False
) -> Scripted:
    """Have a tool do in a test what `script` says, and remember its calls.

    `tool` is what handlers give to `self.call` or `self.once`: a `@tool` (a model is one) or a
    plain function. Its name, effect, price and retries stay. `script` has an outcome for each call:
    a value, an exception to raise, or either of them in `slow(seconds, …)`; or it is a function of
    the tool's arguments. `repeat` gives the last outcome again and again.

    >>> def rate(currency: str) -> float: ...
    >>> rates = scripted(rate, [TimeoutError("down"), slow(30, 1.25)])
    >>> rates.calls
    []
    """
    return Scripted(tool, script, repeat)
