"""Tools: functions with a name, an effect class and a price."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any, Literal, NamedTuple, ParamSpec, Protocol, TypeVar, cast, get_args

from perdure.errors import DeclarationError, UsageError
from perdure.limits import (
    BACKOFF_FACTOR,
    BACKOFF_FIRST_SECONDS,
    BACKOFF_SECONDS_MAX,
    FUNCTIONS_KNOWN_MAX,
    STEP_RETRIES_MAX,
)

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

CODE_PREFIX = "_perdure_code_"
"""What the module names of scenarios' code begin with."""

Effect = Literal["read", "reversible", "irreversible", "financial", "external", "code", "admin"]


KEY_PARAMETER = "idempotency_key"
"""A tool that has a parameter of this name is given the key of the step there."""


class Pauses(Protocol):
    """How long to wait between tries: `Backoff` is one. `first` and `max` are seconds."""

    @property
    def first(self) -> float: ...
    @property
    def factor(self) -> float: ...
    @property
    def max(self) -> float: ...


class Tool(NamedTuple):
    """What the kernel knows of a tool: `tokens` is the most that one call may cost."""

    name: str
    effect: Effect
    tokens: int | Callable[..., int]
    idempotent: bool
    function: Callable[..., Any]
    retries: int = 0  # of a call that failed, before its handler sees that
    backoff: Pauses | None = None
    takes_key: bool = False

    @property
    def redone(self) -> bool:
        """Whether a call is simply made again when nobody knows if it happened."""
        return self.effect == "read" or self.idempotent

    @property
    def is_instant(self) -> bool:
        """Whether a call from the event loop is made right there, and its outcome is at hand.

        A `@nonblocking` function that only reads, costs nothing and is not tried again.
        """
        if self.effect != "read" or self.retries or self.tokens != 0:
            return False
        return getattr(self.function, "__nonblocking__", False) is True

    def pause_seconds(self, failures: int) -> float:
        """How long a call waits after it has failed that often in a row."""
        plan = self.backoff
        first, factor, most = BACKOFF_FIRST_SECONDS, BACKOFF_FACTOR, BACKOFF_SECONDS_MAX
        if plan is not None:
            first, factor, most = plan.first, plan.factor, plan.max
        try:
            return float(min(most, first * factor ** (failures - 1)))
        except OverflowError:
            return most

    def check_given(self, kwargs: dict[str, Any]) -> None:
        """Raise `UsageError` if a call of a tool that `takes_key` brings one of its own."""
        if KEY_PARAMETER in kwargs:
            raise UsageError(
                f"{self.name} is given its {KEY_PARAMETER} by perdure: leave it out of the call."
            )

    def price(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Tokens to reserve for a call with these arguments."""
        tokens: Any = self.tokens(*args, **kwargs) if callable(self.tokens) else self.tokens
        if not isinstance(tokens, int) or tokens < 0:
            raise DeclarationError(
                f"tool {self.name} asks for {tokens!r} tokens; give a whole number >= 0."
            )
        return tokens


def tool(
    name: str,
    *,
    effect: Effect = "admin",
    tokens: int | Callable[..., int] = 0,
    idempotent: bool = False,
    retries: int = 0,
    backoff: Pauses | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function a tool that `self.call` and, if it only reads, `self.once` can use.

    `name` is `resource.action`; `effect` says what a call does to the world (none given: `admin`);
    `tokens` is the most that one call costs, or a function of the call's arguments that says so;
    `idempotent` says that doing it twice with one key is doing it once. A call that fails is made
    again up to `retries` times, after pauses as `backoff` (a `Backoff`) says, before its handler
    sees the failure. A parameter `idempotency_key: str` is filled in by perdure, the same on every
    redo; give it a default, and leave it out of calls.
    Raises `DeclarationError` for another effect, or retries below 0.

    >>> @tool("text.count", effect="read", tokens=lambda text: len(text) // 4)
    ... def count(text: str) -> int:
    ...     return len(text)
    """
    if effect not in get_args(Effect):
        raise DeclarationError(
            f"tool {name} has effect {effect!r}; use one of {', '.join(get_args(Effect))}."
        )

    if not name or name[0].isdigit():
        raise DeclarationError(
            f"a tool cannot be named {name!r}: step keys begin with numbers of tasks. "
            "Use resource.action, like net.read."
        )
    if not 0 <= retries <= STEP_RETRIES_MAX:
        raise DeclarationError(
            f"tool {name} has {retries} retries; use 0 to {STEP_RETRIES_MAX:,}, and attempts_max "
            "of the actor for what should be seen as a crash."
        )

    def mark(function: Callable[P, T]) -> Callable[P, T]:
        takes_key = KEY_PARAMETER in inspect.signature(function).parameters
        cast("Any", function).__perdure_tool__ = Tool(
            name, effect, tokens, idempotent, function, retries, backoff, takes_key
        )
        return function

    return mark


def tool_of(function: Callable[..., Any]) -> Tool:
    """The tool that a function is; a plain function reads, costs nothing, and has its own name."""
    found: Tool | None = getattr(function, "__perdure_tool__", None)
    if found is not None:
        return found
    return _reading(function)


def known(look: Callable[[Callable[..., Any]], R]) -> Callable[[Callable[..., Any]], R]:
    """`look`, which remembers what it found of plain functions, those that were used last."""
    look_once = lru_cache(maxsize=FUNCTIONS_KNOWN_MAX)(look)

    def found(function: Callable[..., Any]) -> R:
        return look_once(function) if type(function) is FunctionType else look(function)

    return found


is_coroutine = known(inspect.iscoroutinefunction)
"""Whether a function is an `async def`."""


@known
def _reading(function: Callable[..., Any]) -> Tool:
    module = getattr(function, "__module__", None) or ""
    if module.startswith(CODE_PREFIX):
        module = "scenario"  # its own module is named anew each time it is loaded
    name = f"{module}.{getattr(function, '__qualname__', function)}"
    return Tool(name, "read", 0, True, function)


@known
def _positional(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's parameters if each may be given by its place, else none."""
    parameters = inspect.signature(function).parameters.values()
    is_plain = all(each.kind is each.POSITIONAL_OR_KEYWORD for each in parameters)
    return tuple(each.name for each in parameters) if is_plain else ()


def named(
    function: Callable[..., Any], args: tuple[Any, ...], kw: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by their names, in the order of the function's parameters.

    Raises `TypeError` for arguments that the function does not take.

    >>> named(lambda page, depth=1: None, ("a",), {})
    {'page': 'a'}
    """
    names = _positional(function)
    if not kw and len(args) == len(names):
        return dict(zip(names, args, strict=True))
    return dict(inspect.signature(function).bind(*args, **kw).arguments)
