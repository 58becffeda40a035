"""Tools: functions with a name, an effect class and a price."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, cast, get_args

from perdure.errors import DeclarationError

P = ParamSpec("P")
T = TypeVar("T")

CODE_PREFIX = "_perdure_code_"
"""What the module names of scenarios' code begin with."""

Effect = Literal["read", "reversible", "irreversible", "financial", "external", "code", "admin"]


class Tool(NamedTuple):
    """What the kernel knows of a tool: `tokens` is the most that one call may cost."""

    name: str
    effect: Effect
    tokens: int | Callable[..., int]
    idempotent: bool
    function: Callable[..., Any]

    @property
    def redone(self) -> bool:
        """Whether a call is simply made again when nobody knows if it happened."""
        return self.effect == "read" or self.idempotent

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
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function a tool that `self.call` and, if it only reads, `self.once` can use.

    `name` is `resource.action`; `effect` says what a call does to the world (none given: `admin`);
    `tokens` is the most that one call costs, or a function of the call's arguments that says so;
    `idempotent` says that doing it twice with one key is doing it once.
    Raises `DeclarationError` for another effect.

    >>> @tool("text.count", effect="read", tokens=lambda text: len(text) // 4)
    ... def count(text: str) -> int:
    ...     return len(text)
    """
    if effect not in get_args(Effect):
        raise DeclarationError(
            f"tool {name} has effect {effect!r}; use one of {', '.join(get_args(Effect))}."
        )

    def mark(function: Callable[P, T]) -> Callable[P, T]:
        cast("Any", function).__perdure_tool__ = Tool(name, effect, tokens, idempotent, function)
        return function

    return mark


def tool_of(function: Callable[..., Any]) -> Tool:
    """The tool that a function is; a plain function reads, costs nothing, and has its own name."""
    found: Tool | None = getattr(function, "__perdure_tool__", None)
    if found is not None:
        return found
    module = getattr(function, "__module__", None) or ""
    if module.startswith(CODE_PREFIX):
        module = "scenario"  # its own module is named anew each time it is loaded
    name = f"{module}.{getattr(function, '__qualname__', function)}"
    return Tool(name, "read", 0, True, function)
