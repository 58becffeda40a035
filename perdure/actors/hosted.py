"""A Pykka actor that owns no thread: it lives on a host's event loop, its handlers run there."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Callable
from types import CoroutineType, TracebackType
from typing import Any, ClassVar, Self

import pykka
from pykka.messages import _ActorStop

from perdure.actors.blocking import check_may_block
from perdure.actors.futures import Future
from perdure.actors.host import Host
from perdure.actors.hosted_inbox import Inbox, Latch
from perdure.errors import Crashed
from perdure.limits import HOST_BATCH_MESSAGES

logger = logging.getLogger("pykka")

# A version 4 UUID whose last 48 bits count: unique, for a fraction of the time of a fresh one.
_urn_prefix = uuid.uuid4().urn[:-12]
_urn_number = itertools.count().__next__


class HostedRef(pykka.ActorRef[Any]):
    """A ref to a hosted actor: Pykka's, but it never blocks a loop that runs actors."""

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Pykka's `ask`. Where it may not block it raises `BlockingCall` before it sends."""
        if block and self.is_alive():
            check_may_block("ref.ask()", timeout)
        return super().ask(message, block=block, timeout=timeout)

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """Pykka's `stop`; the future that it returns when not blocking can be awaited."""
        if block and self.is_alive():
            check_may_block("ref.stop()", timeout)
        asked = super().ask(_ActorStop(), block=False)

        def was_alive(timeout: float | None) -> bool:
            try:
                asked.get(timeout=timeout)
            except pykka.ActorDeadError:
                return False
            return True

        stopped = Future.lazy(was_alive, asked)
        return stopped.get(timeout=timeout) if block else stopped


class HostedActor(pykka.Actor):
    """A Pykka actor without a thread: `def` and `async def` handlers run on its host's event loop.

    Everything else is Pykka's: `start`, `tell`, `ask`, proxies (of `async def` methods too),
    `ActorRegistry`, the hooks (each may be `async def`). It is for actors of the system itself:
    its state is not durable. A handler must not block: it would stop every actor of its host.

    >>> class Adder(HostedActor):
    ...     async def add(self, a: int, b: int) -> int:
    ...         return a + b
    >>> ref = Adder.start()
    >>> ref.proxy().add(1, 2).get(timeout=5)
    3
    >>> ref.stop()
    True
    """

    _in_registry: ClassVar[bool] = True
    """Whether actors of this class enter `ActorRegistry`, where leaving costs a linear search."""

    _host: Host | None = None
    actor_inbox: Inbox

    @classmethod
    def use(cls, host: Host | None) -> None:
        """Let actors of this class live on `host`; None: on the process's default host.

        It holds for those that are started from now on.
        """
        cls._host = host

    @classmethod
    def start(  # pyright: ignore[reportIncompatibleMethodOverride] - refs are read, not written to
        cls, *args: Any, **kwargs: Any
    ) -> pykka.ActorRef[Self]:
        """Start an actor on the host of its class; the arguments go to `__init__`."""
        return cls._launch(cls._host or Host.default(), args, kwargs)

    @classmethod
    def start_on(cls, host: Host, *args: Any, **kwargs: Any) -> pykka.ActorRef[Self]:
        """Start an actor on `host`; the other arguments go to `__init__`."""
        return cls._launch(host, args, kwargs)

    @classmethod
    def _launch(
        cls, host: Host, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> pykka.ActorRef[Self]:
        actor = cls(*args, **kwargs)
        if cls._in_registry:
            pykka.ActorRegistry.register(actor.actor_ref)
        logger.debug("Starting %s", actor)
        actor.actor_inbox.host = host
        actor._start_actor_loop()
        return actor.actor_ref

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.actor_urn = f"{_urn_prefix}{_urn_number():012x}"
        self.actor_inbox = Inbox()  # pyright: ignore[reportIncompatibleVariableOverride]
        self.actor_stopped = Latch()
        self._actor_ref = HostedRef(self)
        self.actor_inbox.actor = self  # a ref holds its actor weakly, and there is no thread to

    @staticmethod
    def _create_actor_inbox() -> Inbox:
        return Inbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return Future()

    def _start_actor_loop(self) -> None:
        self.actor_inbox.submit()

    async def _host_run(self) -> None:
        try:
            if not self.actor_inbox.has_begun:
                self.actor_inbox.has_begun = True
                await self._guard(self.on_start)
            await self._handle_batch()
        except BaseException:  # cancelled: the host is closing, or the handler cancelled its task
            self._host_abandon()
            raise
        if self.actor_stopped.is_set():
            self.actor_inbox.close(str(self))
        else:
            self.actor_inbox.release()

    def _host_abandon(self) -> None:
        self._leave_registry()
        self.actor_stopped.set()
        self.actor_inbox.close(str(self))

    async def _handle_batch(self) -> None:
        inbox, stopped, receive = self.actor_inbox, self.actor_stopped, self._handle_receive
        left = HOST_BATCH_MESSAGES
        while left and inbox.queue and not stopped.is_set():
            left -= 1
            envelope = inbox.get()
            try:
                response = receive(envelope.message)
                if type(response) is CoroutineType:
                    response = await response
            except BaseException as error:  # noqa: BLE001 - each kind has its rule
                await self._failed(error, envelope.reply_to)
            else:
                if envelope.reply_to is not None:
                    envelope.reply_to.set(response)

    def _handle_receive(self, message: Any) -> Any:
        if isinstance(message, tuple):  # all of Pykka's own messages are
            if isinstance(message, _ActorStop):
                return self._end()
            return super()._handle_receive(message)
        return self.on_receive(message)

    async def _failed(self, error: BaseException, reply_to: pykka.Future[Any] | None) -> None:
        """Do what Pykka does when a handler raises, and leave no asker waiting."""
        failure = error if isinstance(error, Exception) else self._crashed(error)
        if reply_to is not None:
            if isinstance(error, Exception):
                logger.info("Exception returned from %s to caller:", self, exc_info=error)
            reply_to.set_exception((type(failure), failure, failure.__traceback__))
        if isinstance(error, GeneratorExit) or _is_cancelled(error):
            raise error
        if not isinstance(error, Exception | asyncio.CancelledError):
            logger.debug("%r in %s. Stopping all actors.", error, self)
            await self._end()
            pykka.ActorRegistry.stop_all(block=False)  # waiting here would be for ourselves
        elif reply_to is None:
            self._handle_failure(type(failure), failure, failure.__traceback__)
            await self._guard(self.on_failure, type(failure), failure, failure.__traceback__)

    def _crashed(self, error: BaseException) -> Crashed:
        """`error` as an asker may meet it: raised there as it is, it would end the asker."""
        crashed = Crashed(f"{self} met {type(error).__name__} while it handled the message.")
        crashed.__cause__ = error
        return crashed

    async def _guard(self, hook: Callable[..., Any], *args: Any) -> None:
        """Run a hook, `def` or `async def`. What it raises stops this actor, as in Pykka."""
        try:
            result = hook(*args)
            if type(result) is CoroutineType:
                await result
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the runner must outlive any hook
            self._handle_failure(type(error), error, error.__traceback__)
            if not isinstance(error, Exception):
                pykka.ActorRegistry.stop_all(block=False)

    async def _end(self) -> None:
        self._leave_registry()
        self.actor_stopped.set()
        logger.debug("Stopped %s", self)
        await self._guard(self.on_stop)

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        logger.error("Unhandled exception in %s:", self, exc_info=exception_value)
        self._leave_registry()
        self.actor_stopped.set()

    def _leave_registry(self) -> None:
        if self._in_registry:
            pykka.ActorRegistry.unregister(self._actor_ref)


def _is_cancelled(error: BaseException) -> bool:
    """Whether the running task itself was cancelled, not only something that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
