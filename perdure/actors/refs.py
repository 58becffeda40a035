"""Pykka's `ActorRef` for durable actors: tell, ask, stop and proxies, through the journal."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pykka
from pykka import messages as pykka_messages
from pykka._envelope import Envelope

from perdure.actors.actor import Actor
from perdure.actors.futures import Future
from perdure.errors import UnknownActor
from perdure.ledger.records import Life
from perdure.mailbox.calls import Call, Get, Leave, Set

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class AgentRef(pykka.ActorRef[Any]):
    """A ref to a durable actor, from outside its run: Pykka's own methods, journaled messages.

    It names an address, so it outlives restarts. An answer is given out once everything that it
    depends on is durable. `stop()` stops the actor after the messages before it; its supervisor
    decides, by its restart type, whether it starts again.
    """

    def __init__(self, kernel: Kernel, address: str) -> None:
        # Pykka's __init__ takes a live actor; a durable one may be on disk only.
        cls = kernel.ask_kernel(_class_at, kernel, address)
        specimen = _specimen(cls)
        self._actor_weakref = lambda: specimen  # type: ignore[assignment]
        self.actor_class = cls
        self.actor_urn = f"urn:perdure:{address}"
        self.actor_inbox = _Door(kernel, address)
        self.actor_stopped = _Gone(kernel, address)  # type: ignore[assignment]
        self.address = address

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} ({self.address})"


def _class_at(kernel: Kernel, address: str) -> type[Actor]:
    cell = kernel.book.cell_at(address)
    if cell.cls is None:
        raise UnknownActor(f"the class {cell.class_name!r} of {address} is not in the code.")
    return cell.cls


def _specimen(cls: type[Actor]) -> Actor:
    """An object for proxies to look at: attributes and methods, no state."""
    specimen = cls.__new__(cls)
    vars(specimen).update(dict.fromkeys(cls.__declaration__.fields))
    return specimen


class _Gone:
    """What tells a ref whether its actor is gone, as an event would."""

    def __init__(self, kernel: Kernel, address: str) -> None:
        self._kernel = kernel
        self._address = address

    def is_set(self) -> bool:
        kernel = self._kernel
        if kernel.ended.is_set():
            return True
        return bool(kernel.ask_kernel(self._is_gone))

    def _is_gone(self) -> bool:
        book = self._kernel.book
        id = book.find(self._address)
        return not id or book.cell(id).life >= Life.STOPPED


class _Door:
    """A ref's inbox: what is put here is journaled, then delivered."""

    def __init__(self, kernel: Kernel, address: str) -> None:
        self._kernel = kernel
        self._address = address

    def put(self, envelope: Envelope[Any], /) -> None:
        message = _durable(envelope.message)
        outside = self._kernel.outside
        if envelope.reply_to is None:
            outside.tell(self._address, message)
            return
        answer = outside.ask(self._address, message)
        answer.add_done_callback(lambda done: _pass_on(done, envelope.reply_to))

    def get(self) -> Envelope[Any]:
        raise NotImplementedError("a ref's inbox is for putting in")

    def empty(self) -> bool:
        return True


def _durable(message: Any) -> Any:
    match message:
        case pykka_messages.ProxyCall(attr_path, args, kwargs):
            return Call(tuple(attr_path), args, kwargs)
        case pykka_messages.ProxyGetAttr(attr_path):
            return Get(tuple(attr_path))
        case pykka_messages.ProxySetAttr(attr_path, value):
            return Set(tuple(attr_path), value)
        case pykka_messages._ActorStop():
            return Leave()
        case _:
            return message


def _pass_on(done: Future[Any], reply_to: Any) -> None:
    error = done.exception()
    if error is None:
        reply_to.set(done.get())
    else:
        reply_to.set_exception((type(error), error, error.__traceback__))


def proxied(actor: Actor, message: Any) -> tuple[Callable[[Any], Any], str]:
    """The handler of a proxied message, and how it runs: async, def or nonblocking."""
    match message:
        case Call(path):
            method = _at(actor, path)
            is_async = inspect.iscoroutinefunction(method)
            mode = "nonblocking" if getattr(method, "__nonblocking__", False) else "def"
            return lambda call: method(*call.args, **call.kwargs), "async" if is_async else mode
        case Get(path):
            return lambda _: _at(actor, path), "nonblocking"
        case Set(path, value):
            return lambda _: setattr(_at(actor, path[:-1]), path[-1], value), "nonblocking"
        case _:
            return lambda _: actor.stop(), "nonblocking"


def _at(actor: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if name.startswith("_"):
            raise AttributeError(f"{name!r} is private: a proxy does not reach it.")
        actor = getattr(actor, name)
    return actor
