"""What a hosted actor has in place of a thread: an inbox that makes it ready, and a light event."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import pykka
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from perdure.actors.blocking import check_may_block
from perdure.errors import Broken, InboxFull
from perdure.limits import INBOX_HARD_MAX

if TYPE_CHECKING:
    from perdure.actors.host import Host, Resident


class Inbox:
    """A hosted actor's messages, in order; the first one to arrive makes an idle actor ready.

    Safe from any thread, without a lock: `_idle` holds one token exactly while the actor is
    neither ready nor running, and whoever pops it, alone, may submit the actor to its host. Each
    side writes before it reads (append, then look; give the token back, then look), so that no
    message is left waiting.
    """

    __slots__ = ("_idle", "actor", "get", "has_begun", "host", "is_closed", "name", "queue")

    def __init__(self) -> None:
        self.queue: deque[Envelope[Any]] = deque()
        self.get = self.queue.popleft
        self.actor: Resident | None = None
        self.host: Host | None = None
        self.has_begun = False
        self.is_closed = False
        self.name = ""
        self._idle: list[None] = []  # no token before the start: until then messages only wait

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self.queue

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add a message. Raises `InboxFull` at the limit, `pykka.ActorDeadError` once closed."""
        queue = self.queue
        if len(queue) >= INBOX_HARD_MAX and not isinstance(envelope.message, _ActorStop):
            raise InboxFull(
                f"the inbox of {self.actor} holds {len(queue):,} of at most {INBOX_HARD_MAX:,} "
                "messages. Send slower, or await answers (`ask`) so that it sets the pace."
            )
        queue.append(envelope)
        if self._idle:
            self._claim()
        elif self.is_closed:
            self._put_late(envelope)

    def release(self) -> None:
        """The actor has no runner any more: it is idle, or ready again if something waits."""
        self._idle.append(None)
        if self.queue:
            self._claim()

    def submit(self) -> None:
        """Hand the actor to its host; only for whoever holds the token."""
        if self.host is None or self.actor is None:
            raise Broken("an actor is ready that has not started, or has stopped")
        self.host.submit(self.actor)

    def close(self, name: str) -> None:
        """Refuse what waits and all that comes, in the name of `name`; let go of the actor."""
        self.name = name
        self.is_closed = True
        self.actor = None
        self._refuse_waiting()

    def _claim(self) -> None:
        try:
            self._idle.pop()
        except IndexError:  # another sender was first
            return
        self.submit()

    def _put_late(self, envelope: Envelope[Any]) -> None:
        if envelope in self._refuse_waiting() and envelope.reply_to is None:
            raise pykka.ActorDeadError(f"{self.name} not found")

    def _refuse_waiting(self) -> list[Envelope[Any]]:
        refused: list[Envelope[Any]] = []
        while self.queue:
            try:
                envelope = self.queue.popleft()
            except IndexError:  # another sender refuses too
                break
            refused.append(envelope)
            if envelope.reply_to is None:
                continue
            if isinstance(envelope.message, _ActorStop):
                envelope.reply_to.set(None)
            else:
                text = f"{self.name} stopped before handling the message"
                envelope.reply_to.set_exception(
                    (pykka.ActorDeadError, pykka.ActorDeadError(text), None)
                )
        return refused


_latch_lock = threading.Lock()


class Latch(threading.Event):
    """A `threading.Event` that makes its lock only when somebody waits; once set it stays so."""

    def __init__(self) -> None:
        # Not Event's: the condition that it makes is most of what an actor would cost.
        self._is_set = False
        self._event: threading.Event | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        raise TypeError("an actor that has stopped stays stopped: start another one.")

    def wait(self, timeout: float | None = None) -> bool:
        """Block until set, up to `timeout` seconds; says whether it is set."""
        if self._is_set:
            return True
        check_may_block("actor_stopped.wait()", timeout)
        with _latch_lock:
            if self._event is None:
                self._event = threading.Event()
        # set() writes the flag and then looks for the event; this does it the other way round.
        return self.is_set() or self._event.wait(timeout)
