"""The class that users write: durable state by annotation, a handler, verbs."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NoReturn,
    TypeVar,
    cast,
    dataclass_transform,
    overload,
)

from perdure.actors.declaration import Declaration, Spec
from perdure.actors.state import Marks, fill
from perdure.actors.verbs import Acting
from perdure.errors import Reject, UndeclaredState, UsageError

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    Hosted = object  # Pykka's hooks return None to a type checker: none could be `async def`
else:
    from perdure.actors.hosted import HostedActor as Hosted


@overload
def field(*, default: T) -> T: ...
@overload
def field(*, default_factory: type[list[V]]) -> list[V]: ...
@overload
def field(*, default_factory: type[dict[K, V]]) -> dict[K, V]: ...
@overload
def field(*, default_factory: type[set[V]]) -> set[V]: ...
@overload
def field(*, default_factory: Callable[[], T]) -> T: ...
@overload
def field() -> Any: ...
def field(**given: Any) -> Any:
    """A durable attribute with a default, or with a function that makes one; else it is required.

    >>> class Editor(Actor):
    ...     lines: dict[str, int] = field(default_factory=dict)
    >>> Editor().lines
    {}
    """
    return Spec(True, given)


@overload
def volatile(*, init: Literal[False] = False, default: T) -> T: ...
@overload
def volatile(*, init: Literal[False] = False, default_factory: type[list[V]]) -> list[V]: ...
@overload
def volatile(*, init: Literal[False] = False, default_factory: type[dict[K, V]]) -> dict[K, V]: ...
@overload
def volatile(*, init: Literal[False] = False, default_factory: type[set[V]]) -> set[V]: ...
@overload
def volatile(*, init: Literal[False] = False, default_factory: Callable[[], T]) -> T: ...
@overload
def volatile(*, init: Literal[False] = False) -> Any: ...
def volatile(*, init: Literal[False] = False, **given: Any) -> Any:
    """An attribute that lives in memory only: gone after a crash, a restart or an unload.

    It begins with its default each time the object is built; without one, `on_load` sets it.
    `init` is for type checkers: it cannot be given in an actor's init.
    """
    return Spec(False, given)


def nonblocking(handler: F) -> F:
    """Let a `def` handler run on the event loop, which is faster: it promises not to block."""
    cast("Any", handler).__nonblocking__ = True
    return handler


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field, volatile))
class Actor(Acting, Hosted):
    """An agent with an address, an inbox and durable state; it handles one message at a time.

    Annotated attributes are the state: what they hold when a handler returns is committed with
    everything that the handler asked for, or none of it is. `name`, `version` and `aliases` are
    how the ledger knows the class. Making one by hand is for tests of handlers: it has state, and
    every verb raises `TurnClosed`. Supervisors and `spawn` make those that run.

    >>> class Counter(Actor, version=2):
    ...     total: int = 0
    ...     async def on_receive(self, message: int) -> None:
    ...         self.total += message
    >>> Counter(total=3).total
    3
    """

    __declaration__: ClassVar[Declaration]
    __durable__: ClassVar[frozenset[str]] = frozenset()
    __marks__: Marks
    trap_exit: ClassVar[bool | None] = None
    """Exit signals of others: True, they come as `Exited` messages; else they end the actor.

    False: so does a stop, at once, and `on_stop` runs only when the actor stops itself.
    """
    _in_registry = False

    def __init_subclass__(
        cls, *, name: str | None = None, version: int = 1, aliases: tuple[str, ...] = ()
    ) -> None:
        super().__init_subclass__()
        cls.__declaration__ = Declaration(cls, Actor, name or cls.__name__, version, aliases)
        cls.__durable__ = cls.__declaration__.names

    def __init__(self, **init: Any) -> None:
        fill(self, init)

    if not TYPE_CHECKING:  # to a type checker, these would make every attribute assignable

        def __setattr__(self, name: str, value: object) -> None:
            fields = self.__dict__
            marks = fields.get("__marks__")
            if marks is not None and name in marks.whats:
                fields[name] = value
                marks.dirty.add(name)
            elif name[0] == "_" or name in self.__declaration__.volatile:
                object.__setattr__(self, name, value)
            elif hasattr(getattr(type(self), name, None), "__set__"):
                object.__setattr__(self, name, value)  # a property
            else:
                raise UndeclaredState(self.__declaration__.undeclared(name))

        def __delattr__(self, name: str) -> None:
            if name in self.__durable__:
                raise UndeclaredState(
                    f"{type(self).__name__}.{name} is durable and cannot be deleted. Assign None, "
                    f"and declare it as `{name}: … | None`."
                )
            object.__delattr__(self, name)

    def __repr__(self) -> str:
        fields = ", ".join(f"{n}={vars(self).get(n)!r}" for n in self.__declaration__.fields)
        return f"{type(self).__name__}({fields})"

    __str__ = __repr__

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: raises `UsageError`. A durable actor is started by a supervisor."""
        raise UsageError(
            f"{cls.__name__} is durable, so a supervisor starts it: name it in [tree] of the "
            f"scenario, give Child('id', {cls.__name__}), or self.spawn({cls.__name__}, 'name')."
        )

    # --- hooks: each may be `def` or `async def`

    def on_receive(self, message: Any) -> Any:
        """Handle one message. What it returns answers an ask; an exception is a crash.

        This default rejects every message, which is no crash.
        """
        raise Reject(f"{type(self).__name__} has no on_receive, so it takes no messages.")

    def on_start(self) -> Any:
        """Begin an incarnation: a turn of its own, committed. An exception is a start failure.

        `raise Ignore(reason)` declines to start, which is none.
        """

    def on_load(self) -> None:
        """Set volatile attributes, each time the object is built. Verbs do not work here."""

    def on_stop(self) -> Any:
        """End an incarnation in an orderly way: the last turn. A crash does not come by here.

        `self.stop_reason` says why; `self.stop(other)` has it end with another reason, an exception
        with that one.
        """

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        """Let go of things outside after a crash. State is thrown away, so changes are lost."""

    def on_restart(self, reason: Any) -> Any:
        """Begin an incarnation that replaces a crashed one, before `on_start`; same turn."""

    @classmethod
    def migrate(cls, state: dict[str, Any], version: int) -> dict[str, Any]:
        """The fields of today from the fields that `version` of the class had. The same, here."""
        return state
