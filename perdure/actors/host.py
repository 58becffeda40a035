"""An event loop that hosted actors live on: runner tasks serve those that are ready."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from typing import ClassVar, Protocol

from perdure.actors.blocking import forbid_blocking
from perdure.limits import HOST_RUNNERS_KEPT, HOST_RUNNERS_MAX, HOST_SLICE_BATCHES


class Resident(Protocol):
    """What lives on a host. Underscores: all other names of an actor are its user's."""

    async def _host_run(self) -> None:
        """Handle a batch of what waits. Must not raise, unless it is cancelled."""

    def _host_abandon(self) -> None:
        """The host is closed: stop without running any of the user's code. From any thread."""


class Host:
    """An event loop and the runner tasks that serve the actors living on it.

    A runner takes the next ready actor and awaits its handlers, so that a handler that does not
    suspend costs a function call. When one does suspend, another runner goes on with the other
    actors; at most `runners_max` handlers are in flight, past it ready actors wait.

    >>> host = Host.start()
    >>> host.close()
    """

    _default: ClassVar[Host | None] = None
    _default_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, runners_max: int = HOST_RUNNERS_MAX
    ) -> None:
        self.loop = loop
        self.runners_max = runners_max
        self.is_closed = False
        self._ready: deque[Resident] = deque()
        self._parked: list[asyncio.Future[None]] = []
        self._runners: dict[asyncio.Task[None], None] = {}  # in order of their beginning
        # True while a call of _relay is on its way. Senders add first and read this after; _relay
        # clears it first and reads what is ready after. So a wake-up may be doubled, never lost.
        self._relay_is_due = False
        self._thread_id = 0
        self._thread: threading.Thread | None = None
        self._closing = asyncio.Event()

    @classmethod
    def on(cls, loop: asyncio.AbstractEventLoop, *, runners_max: int = HOST_RUNNERS_MAX) -> Host:
        """A host whose runners are tasks of `loop`, which somebody else runs.

        From then on that loop's thread must not block (`BlockingCall`).
        """
        host = cls(loop, runners_max=runners_max)
        if asyncio._get_running_loop() is loop:
            host._adopt()
        else:
            loop.call_soon_threadsafe(host._adopt)
        return host

    @classmethod
    def start(cls, *, name: str = "perdure-host", runners_max: int = HOST_RUNNERS_MAX) -> Host:
        """A host with a loop of its own, in a daemon thread of its own."""
        host = cls(asyncio.new_event_loop(), runners_max=runners_max)
        host._thread = threading.Thread(target=host._live, name=name, daemon=True)
        host._thread.start()
        return host

    @classmethod
    def default(cls) -> Host:
        """The process's own host, for actors that were given no other; started when needed."""
        with cls._default_lock:
            if cls._default is None or cls._default.is_closed:
                cls._default = cls.start()
            return cls._default

    @classmethod
    def _forget_default(cls) -> None:
        cls._default_lock = threading.Lock()
        cls._default = None

    def submit(self, resident: Resident) -> None:
        """Let a runner serve `resident`, which must not be here already. From any thread."""
        self._ready.append(resident)
        if not self._relay_is_due:
            self._call_relay()
        if self.is_closed:
            self._abandon_ready()

    def close(self, *, timeout: float | None = None) -> None:
        """End this host: cancel what is in flight, refuse what comes. From any thread; idempotent.

        Its own thread is waited for, up to `timeout` seconds. On a loop that somebody else runs,
        the runners end when that loop goes on: `await aclose()` waits for them.
        """
        self.is_closed = True
        try:
            self.loop.call_soon_threadsafe(self._cancel_runners)
        except RuntimeError:  # the loop is closed: nothing is in flight
            self._abandon_ready()
        if self._thread is not None and threading.get_ident() != self._thread_id:
            self._thread.join(timeout)

    async def aclose(self) -> None:
        """`close()`, and wait on the host's loop until its runners have ended."""
        self.is_closed = True
        runners = list(self._runners)
        self._cancel_runners()
        await asyncio.gather(*runners, return_exceptions=True)

    def _adopt(self) -> None:
        self._thread_id = threading.get_ident()
        forbid_blocking()

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._until_closed())
        self._abandon_ready()

    async def _until_closed(self) -> None:
        self._adopt()
        await self._closing.wait()

    def _cancel_runners(self) -> None:
        self._closing.set()
        for runner in self._runners:
            runner.cancel()
        self._abandon_ready()

    def _abandon_ready(self) -> None:
        while (resident := self._take()) is not None:
            resident._host_abandon()

    def _take(self) -> Resident | None:
        try:
            return self._ready.popleft()
        except IndexError:
            return None

    def _call_relay(self) -> None:
        self._relay_is_due = True
        try:
            if threading.get_ident() == self._thread_id:
                self.loop.call_soon(self._relay)
            else:
                self.loop.call_soon_threadsafe(self._relay)
        except RuntimeError:  # somebody closed the loop under us
            self.is_closed = True

    def _relay(self) -> None:
        """Give the ready actors to a runner that is free; runs when all others are suspended."""
        self._relay_is_due = False
        if not self._ready or self.is_closed:
            return
        while self._parked:
            waiter = self._parked.pop()
            if not waiter.done():
                waiter.set_result(None)
                return
        if len(self._runners) < self.runners_max:
            runner = self.loop.create_task(self._serve())
            self._runners[runner] = None
            runner.add_done_callback(self._runner_ended)
        # else all are in flight: the first to come back finds what is ready

    async def _serve(self) -> None:
        """Be a runner: serve what is ready, then wait for the relay; over and over."""
        while True:
            for _ in range(HOST_SLICE_BATCHES):
                resident = self._take()
                if resident is None:
                    break
                if not self._relay_is_due:  # should this one suspend, the others go on
                    self._call_relay()
                await resident._host_run()
            if len(self._parked) >= HOST_RUNNERS_KEPT and not self._ready:
                return
            await self._park()

    async def _park(self) -> None:
        """Wait for the relay. It is due if anything is ready, so this is how a runner yields."""
        if self._ready and not self._relay_is_due:
            self._call_relay()
        waiter = self.loop.create_future()
        self._parked.append(waiter)
        await waiter

    def _runner_ended(self, runner: asyncio.Task[None]) -> None:
        self._runners.pop(runner, None)
        if self._ready and not self._relay_is_due:
            self._call_relay()
        if not runner.cancelled() and (error := runner.exception()) is not None:
            context = {"message": "a runner of hosted actors failed", "exception": error}
            self.loop.call_exception_handler(context)


# A forked child has no thread but the one that forked: its default host must be a new one.
os.register_at_fork(after_in_child=Host._forget_default)
