"""What an actor may do while it handles a message, and the port to the turn that does it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from random import Random
from typing import Any, Literal, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from perdure.actors.futures import Future
from perdure.caps.tool import named
from perdure.errors import TurnClosed
from perdure.ids import Ref, resolve

P = ParamSpec("P")
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")


class Verbs(Protocol):
    """The `_turn` of an actor. Its methods take what the actor's own take, without defaults."""

    @property
    def address(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def budget(self) -> int | None: ...
    @property
    def leaving(self) -> str | None: ...
    @property
    def random(self) -> Random: ...
    @property
    def sender(self) -> Ref | None: ...
    def now(self) -> datetime: ...
    def tell(
        self,
        to: str | Ref,
        message: object,
        cost: float | None,
        est: float | None,
        qos: str | None,
        delay: float | None,
        /,
    ) -> None: ...
    def ask(self, to: str | Ref, message: object, timeout: float | None, /) -> Future[Any]: ...
    def call(self, tool: Callable[..., Any], args: dict[str, Any], /) -> Future[Any]: ...
    def once(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], /
    ) -> Future[Any]: ...
    def sleep(self, seconds: float, /) -> Future[None]: ...
    def artifact(self, path: str, data: str | bytes, /) -> Future[str]: ...
    def spawn(self, actor: Any, name: str, init: dict[str, Any], options: Any, /) -> Ref: ...
    def stop(self, reason: str, /) -> None: ...
    def exit(self, to: str | Ref, reason: str, /) -> None: ...
    def watch(self, verb: str, to: str | Ref, monitor: str, /) -> str: ...
    def finish(self, result: object, /) -> None: ...
    def mark(self, name: str, /) -> None: ...


class SpawnOptions(TypedDict, total=False):
    """How a spawned child is supervised: the options of `Child`, with its defaults."""

    restart: Literal["permanent", "transient", "temporary"]
    shutdown: float | Literal["infinity", "brutal_kill"]
    redelivery: Literal["retry", "none"]
    attempts_max: int
    backoff: Any
    deadline: float | None
    breaker: int | None
    restore: tuple[str, ...]
    restore_after: int


class Acting:
    """The verbs of an actor. Each hands on to `_turn`, which the kernel sets while one lasts.

    Outside a turn they all raise `TurnClosed`.
    """

    _turn: Verbs | None = None

    def tell(
        self,
        to: str | Ref,
        message: object,
        *,
        cost: float | None = None,
        est: float | None = None,
        qos: str | None = None,
        delay: float | None = None,
    ) -> None:
        """Send a message when this turn is committed; with `delay`, that many seconds later.

        `to` is a ref, an address, or a path such as `../editor`. `cost` per second of waiting (or
        a `qos` class) and `est`, the expected seconds of work, tell the scheduler what it is worth.
        Raises `InboxFull`, `NotEncodable`.
        """
        turn = self._turn
        if turn is None:
            raise self._no_turn("tell")
        turn.tell(to, message, cost, est, qos, delay)

    def send_after(self, seconds: float, to: str | Ref, message: object) -> None:
        """`tell`, `seconds` later: a timer that outlives crashes and the process."""
        self._in_turn("send_after").tell(to, message, None, None, None, seconds)

    def ask(self, to: str | Ref, message: object, *, timeout: float | None = None) -> Future[Any]:
        """Send a message at once and get its answer; `timeout` in seconds, None waits for ever.

        The future fails with `AskTimeout`, `Crashed` or `Reject`.
        """
        return self._in_turn("ask").ask(to, message, timeout)

    @overload
    def call(
        self, tool: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kw: P.kwargs
    ) -> Future[T]: ...
    @overload
    def call(self, tool: Callable[P, T], /, *args: P.args, **kw: P.kwargs) -> Future[T]: ...
    def call(self, tool: Callable[..., Any], /, *args: Any, **kw: Any) -> Future[Any]:
        """Call a `@tool` as a step: paid for, journaled, and not redone if it may have happened."""
        turn = self._in_turn("call")
        if args:
            kw = named(tool, args, kw)
        return turn.call(tool, kw)

    @overload
    def once(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kw: P.kwargs
    ) -> Future[T]: ...
    @overload
    def once(self, fn: Callable[P, T], /, *args: P.args, **kw: P.kwargs) -> Future[T]: ...
    def once(self, fn: Callable[..., Any], /, *args: Any, **kw: Any) -> Future[Any]:
        """Call a function that only reads, as a step: once it succeeded it is never called again.

        A `def` runs in a pool thread. Its result must be a value that can be encoded.
        """
        return self._in_turn("once").once(fn, args, kw)

    @overload
    def gather(self, a: Future[T1], b: Future[T2], /) -> Future[tuple[T1, T2]]: ...
    @overload
    def gather(
        self, a: Future[T1], b: Future[T2], c: Future[T3], /
    ) -> Future[tuple[T1, T2, T3]]: ...
    @overload
    def gather(self, *futures: Future[T]) -> Future[tuple[T, ...]]: ...
    def gather(self, *futures: Future[Any]) -> Future[Any]:
        """All the values, when all are there; else the failure of the first argument that failed.

        It always waits for all, so that the outcome does not hang on which was quicker.
        """
        self._in_turn("gather")

        def values(timeout: float | None) -> tuple[Any, ...]:
            try:
                return tuple(future.get(timeout=timeout) for future in futures)
            finally:
                for future in futures:
                    future.exception()  # it is seen: one failure stands for all

        return Future.lazy(values, *futures)

    def sleep(self, seconds: float) -> Future[None]:
        """Wait in ledger time; a slot for another turn is free meanwhile."""
        return self._in_turn("sleep").sleep(seconds)

    def artifact(self, path: str, data: str | bytes) -> Future[str]:
        """Publish a file when this turn is committed: RUN/artifacts/`path`, whole or not at all.

        The future holds the path below RUN.
        """
        return self._in_turn("artifact").artifact(path, data)

    def spawn(
        self,
        actor: type[Acting] | str,
        name: str,
        *,
        init: Mapping[str, object] | None = None,
        **options: Unpack[SpawnOptions],
    ) -> Ref:
        """Start a child at this actor's address + `/name`; a retry of this turn finds the same one.

        `actor` is a class or the registered name of one, `options` are those of `Child`.
        """
        return self._in_turn("spawn").spawn(actor, name, dict(init or {}), options)

    def stop(self, reason: str = "normal") -> None:
        """Stop when this turn is committed."""
        self._in_turn("stop").stop(reason)

    def exit(self, to: str | Ref, reason: str) -> None:
        """Send an exit signal when this turn is committed: OTP's `exit(Pid, Reason)`.

        The other ends with `reason`, unless that is "normal" or it traps exits; then it gets an
        `Exited` message. "kill" cannot be trapped. Supervisors take none from strangers but "kill".
        """
        self._in_turn("exit").exit(to, reason)

    def link(self, to: str | Ref) -> None:
        """Tie this life to that of another actor, when this turn is committed: OTP's `link`.

        When either ends otherwise than "normal", the other ends with the same reason, or gets
        `Exited` if it traps exits. A restart is another life. One that has no life is `noproc`.
        """
        self._in_turn("link").watch("link", to, "")

    def unlink(self, to: str | Ref) -> None:
        """Undo `link`, from either end."""
        self._in_turn("unlink").watch("unlink", to, "")

    def monitor(self, to: str | Ref) -> str:
        """Have `Down` sent here, once, when the other's life ends; returns the monitor's id.

        OTP's `monitor`. One that has no life is down already: `Down` comes at once, "noproc".
        """
        return self._in_turn("monitor").watch("monitor", to, "")

    def demonitor(self, to: str | Ref, monitor: str) -> None:
        """Undo a `monitor` of that actor; a `Down` that was sent before stays."""
        self._in_turn("demonitor").watch("demonitor", to, monitor)

    def finish(self, result: object = None) -> None:
        """Finish the run with a result when this turn is committed."""
        self._in_turn("finish").finish(result)

    def mark(self, name: str) -> None:
        """Name the point of the run at which this turn is committed: to fork from, to restore to.

        A mark set again moves. Raises `UsageError` for a name that is none, `Refused` for too many.
        """
        self._in_turn("mark").mark(name)

    def now(self) -> datetime:
        """The ledger time, aware (UTC): a step, so that a retry sees what the first attempt saw."""
        return self._in_turn("now").now()

    @property
    def random(self) -> Random:
        """Chance that a replay repeats: seeded by run, actor, message and attempt.

        Once an attempt has journaled a step, later ones have its chance.
        """
        return self._in_turn("random").random

    @property
    def sender(self) -> Ref | None:
        """Who sent the message; None for one from outside the run."""
        return self._in_turn("sender").sender

    @property
    def address(self) -> str:
        """Where this actor is in the tree, like `/trip/researcher`."""
        return self._in_turn("address").address

    @property
    def attempt(self) -> int:
        """The how-manieth try at this message this is: 1, 2, 3…"""
        return self._in_turn("attempt").attempt

    @property
    def stop_reason(self) -> str | None:
        """In `on_stop`: why the actor ends, `normal`, `shutdown`, `killed` or a text; else None."""
        return self._in_turn("stop_reason").leaving

    @property
    def budget(self) -> int | None:
        """Tokens left as this turn began; None without a limit."""
        return self._in_turn("budget").budget

    def ref(self, path: str) -> Ref:
        """The ref of an address, or of a path seen from here: `../editor`."""
        return Ref(resolve(self.address, path))

    def _in_turn(self, verb: str) -> Verbs:
        turn = self._turn
        if turn is None:
            raise self._no_turn(verb)
        return turn

    def _no_turn(self, verb: str) -> TurnClosed:
        return TurnClosed(
            f"{type(self).__name__}.{verb} works only while a message is handled. Use it in "
            "on_receive, on_start or on_stop; outside a run, talk to the run: run.tell, run.ask."
        )
