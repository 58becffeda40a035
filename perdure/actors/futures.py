"""What asks, steps and proxies return: a value that is there now, or will be."""

from __future__ import annotations

import asyncio
import functools
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, TypeVar

import pykka

from perdure.actors.blocking import check_may_block, closed_gate, forbid_blocking, lock_timeout
from perdure.actors.outcomes import Failure, Lazy
from perdure.errors import Broken

__all__ = ["Future", "forbid_blocking"]

logger = logging.getLogger("perdure")

T = TypeVar("T")
V = TypeVar("V")
J = TypeVar("J")
R = TypeVar("R")

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
Hook = Callable[[float | None], T]
Outcome = tuple[Any, Failure | Lazy | None]
"""(value, None) is a success, (None, trouble) a failure or a hook."""


class Future(pykka.Future[T]):
    """A value that is there now or will be: `await` it in `async def`, `.get()` it in `def`.

    It keeps Pykka's contract (`set`, `set_exception`, `set_get_hook`, `filter`, `join`, `map`,
    `reduce`) and adds a real `await`, done callbacks, and futures that are born done. It is set
    once, from any thread. No lock is made until a thread blocks in `get()`.

    >>> Future.done(20).map(lambda n: n + 1).get()
    21
    """

    # One slot decides, so that threads racing to settle need no lock: `dict.setdefault` is atomic.
    _outcome: Outcome | None = None
    _callbacks: list[Callable[[Future[T]], object]] | None = None

    def __init__(self) -> None:
        # Pykka's __init__ makes attributes that nothing here reads; this one is on the hot path.
        pass

    @staticmethod
    def done(value: V) -> Future[V]:
        """A future that is done already, with `value`."""
        future: Future[V] = Future.__new__(Future)
        future._outcome = (value, None)
        return future

    @staticmethod
    def failed(error: BaseException) -> Future[Any]:
        """A future that has failed already, with `error`."""
        future: Future[Any] = Future.__new__(Future)
        future._outcome = (None, Failure(error, error.__traceback__))
        return future

    @staticmethod
    def lazy(hook: Hook[V], *sources: pykka.Future[Any]) -> Future[V]:
        """A future that `hook(timeout)` computes from `sources` when its value is first wanted.

        `await` waits for the sources without blocking, then calls the hook. A hook whose sources
        are not known (`set_get_hook`) may block, so `await` runs it in a thread.
        """
        future: Future[V] = Future.__new__(Future)
        known = all(isinstance(source, Future) for source in sources)
        future._outcome = (None, Lazy(hook, sources if known else ()))
        return future

    @property
    def is_done(self) -> bool:
        """Whether the value or the failure is here, so that `get()` returns at once."""
        outcome = self._outcome
        return outcome is not None and (outcome[1] is None or outcome[1].is_done)

    @property
    def is_failure_seen(self) -> bool:
        """Whether somebody met the failure: by `get()`, `await` or `exception()`."""
        return self._outcome is not None and getattr(self._outcome[1], "seen", False)

    def exception(self) -> BaseException | None:
        """The failure, or None when there is none (yet). Never waits."""
        trouble = None if self._outcome is None else self._outcome[1]
        if not isinstance(trouble, Failure):
            return None
        trouble.seen = True
        return trouble.error

    def get(self, *, timeout: float | None = None) -> T:
        """The value, waiting up to `timeout` seconds for it; raises what it failed with.

        Raises `pykka.Timeout`, and `BlockingCall` if it had to wait on an actors' event loop.
        """
        outcome = self._outcome
        if outcome is None:
            began = time.monotonic()
            outcome = self._wait(timeout)
            if timeout is not None:
                timeout = max(0.0, timeout - (time.monotonic() - began))
        value, trouble = outcome
        return value if trouble is None else trouble.resolve(timeout)  # type: ignore[no-any-return]

    def set(self, value: T | None = None) -> None:
        """Give the value. Raises `queue.Full`, as Pykka's futures do, if there is one already."""
        self._settle((value, None))

    def set_exception(self, exc_info: ExcInfo | BaseException | None = None) -> None:
        """Give a failure: an exception, an exc_info triple, or what is being handled right now."""
        if isinstance(exc_info, BaseException):
            failure = Failure(exc_info, exc_info.__traceback__)
        else:
            kind, error, traceback = sys.exc_info() if exc_info is None else exc_info
            if error is None and kind is not None:
                error = kind()
            if error is None:
                raise TypeError("set_exception() has no exception: pass one, or call it in except.")
            failure = Failure(error, traceback)
        self._settle((None, failure))

    def set_get_hook(self, func: Hook[T]) -> None:
        """Let `func(timeout)` compute the value, once, when `get()` is first called."""
        self._settle((None, Lazy(func, ())))

    def _settle(self, outcome: Outcome) -> None:
        if self.__dict__.setdefault("_outcome", outcome) is not outcome:
            raise queue.Full("this future is settled already: it can be set only once.")
        if self._callbacks:
            self._run_callbacks()

    def add_done_callback(self, callback: Callable[[Future[T]], object]) -> None:
        """Call `callback(self)` when settled, in the thread that settles; at once if it is.

        An exception out of a callback is logged and goes no further. A lazy future is settled as
        soon as its hook is known.
        """
        # Append, then look: whoever settles does it the other way round, so one of both sees it.
        self.__dict__.setdefault("_callbacks", []).append(callback)
        if self._outcome is not None:
            self._run_callbacks()

    def remove_done_callback(self, callback: Callable[[Future[T]], object]) -> None:
        """Forget a callback that has not run; nothing happens when there is none such."""
        try:
            (self._callbacks or []).remove(callback)
        except ValueError:
            return

    def _run_callbacks(self) -> None:
        callbacks = self._callbacks
        while callbacks:
            try:
                callback = callbacks.pop(0)
            except IndexError:  # another thread took the last one
                return
            try:
                callback(self)
            except Exception:
                logger.exception("A done callback of %r failed:", self)

    def _wait(self, timeout: float | None) -> Outcome:
        check_may_block("Future.get()", timeout)
        gate = closed_gate()

        def open_gate(_: Future[T]) -> None:
            gate.release()

        self.add_done_callback(open_gate)
        try:
            gate.acquire(timeout=lock_timeout(timeout))
        finally:
            self.remove_done_callback(open_gate)
        if self._outcome is None:
            raise pykka.Timeout(f"{timeout} seconds")
        return self._outcome

    def __await__(self) -> Generator[Any, None, T]:
        outcome = self._outcome
        if outcome is None:
            outcome = yield from self._suspend()
        value, trouble = outcome
        if trouble is None:
            return value  # type: ignore[no-any-return]
        yield from trouble.ready()
        return trouble.resolve(None)  # type: ignore[no-any-return]

    __iter__ = __await__

    def _suspend(self) -> Generator[Any, None, Outcome]:
        """Suspend the running task until settled."""
        loop = asyncio.get_running_loop()
        thread = threading.get_ident()
        waiter = loop.create_future()

        def release() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def wake(_: Future[T]) -> None:
            if loop.is_closed():
                return  # the awaiter is gone with it
            if threading.get_ident() == thread:
                release()
            else:
                loop.call_soon_threadsafe(release)

        self.add_done_callback(wake)
        try:
            yield from waiter
        finally:
            self.remove_done_callback(wake)
        if self._outcome is None:
            raise Broken(f"{self!r} woke its awaiter before it was settled")
        return self._outcome

    def filter(self: Future[Iterable[J]], func: Callable[[J], bool]) -> Future[Iterable[J]]:
        """A future with only the items for which `func` is true."""
        return self.lazy(lambda t: list(filter(func, self.get(timeout=t))), self)

    def join(self: Future[Any], *futures: pykka.Future[Any]) -> Future[Iterable[Any]]:
        """A future with the list of this value and those of `futures`."""
        every = (self, *futures)
        return self.lazy(lambda t: [future.get(timeout=t) for future in every], *every)

    def map(self, func: Callable[[T], V]) -> Future[V]:
        """A future with the value passed through `func`."""
        return self.lazy(lambda t: func(self.get(timeout=t)), self)

    def reduce(self: Future[Iterable[J]], func: Callable[[R, J], R], *args: R) -> Future[R]:
        """A future with the items folded into one value, from the left."""
        return self.lazy(lambda t: functools.reduce(func, self.get(timeout=t), *args), self)

    def __repr__(self) -> str:
        trouble = None if self._outcome is None else self._outcome[1]
        if isinstance(trouble, Failure):
            return f"<Future failed: {trouble.error!r}>"
        return f"<Future {'done' if self.is_done else 'pending'}>"
