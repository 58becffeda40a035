"""What a future holds other than a plain value: a failure, or a hook that computes the value."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, NoReturn

import pykka

from perdure.actors.blocking import check_may_block, lock_timeout

Hook = Callable[[float | None], Any]


class Failure:
    """What a future failed with, and whether anybody met it."""

    __slots__ = ("error", "seen", "traceback")
    is_done = True

    def __init__(self, error: BaseException, traceback: TracebackType | None) -> None:
        self.error = error
        self.traceback = traceback
        self.seen = False

    def ready(self) -> Iterable[Any]:
        return ()

    def resolve(self, timeout: float | None) -> NoReturn:
        self.seen = True
        # Its own traceback each time: else it would grow with every get().
        raise self.error.with_traceback(self.traceback)


class Lazy:
    """A value that a hook computes once, when it is first wanted.

    `sources` are the futures that the hook gets its values from; none: nobody knows, and it may
    block.
    """

    __slots__ = ("hook", "is_done", "lock", "sources", "value")

    def __init__(self, hook: Hook, sources: tuple[pykka.Future[Any], ...]) -> None:
        self.hook = hook
        self.sources = sources
        self.lock = threading.Lock()
        self.is_done = False
        self.value: Any = None

    def ready(self) -> Generator[Any, None, None]:
        """Suspend the running task until the hook can run without blocking."""
        if self.is_done:
            return
        if not self.sources:
            yield from asyncio.to_thread(self._try).__await__()
            return
        for source in self.sources:
            try:
                yield from source.__await__()
            except Exception:  # noqa: BLE001 - the hook meets it again, and decides
                return

    def _try(self) -> None:
        self.resolve(None)

    def resolve(self, timeout: float | None) -> Any:
        if self.is_done:
            return self.value
        if not self.lock.acquire(blocking=False):
            check_may_block("Future.get()", timeout)
            if not self.lock.acquire(timeout=lock_timeout(timeout)):
                raise pykka.Timeout(f"{timeout} seconds")
        try:
            if not self.is_done:
                self.value = self.hook(timeout)
                self.is_done = True
            return self.value
        finally:
            self.lock.release()
