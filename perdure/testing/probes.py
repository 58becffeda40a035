"""Probes: actors that remember what they are sent, and answer as a test says."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload
from weakref import WeakValueDictionary

from perdure.actors.actor import Actor
from perdure.errors import Reject, UsageError
from perdure.supervisors.spec import Child

if TYPE_CHECKING:
    from perdure.testing.trial import Trial

M = TypeVar("M")
_probes: WeakValueDictionary[int, Probe] = WeakValueDictionary()
"""The probes of this process by number: what a probing actor has in its state."""


class Received(NamedTuple):
    """A message that a probe got: from which address ('' for the outside), and if it was asked."""

    message: Any
    sender: str
    is_asked: bool


class Probing(Actor, name="perdure.testing.probe"):
    """The actor that a probe is in a run."""

    number: int

    async def on_receive(self, message: Any) -> Any:
        """Show it to the test; answer what was asked with what the test replies."""
        turn: Any = self._turn
        is_asked = turn.envelope.reply is not None
        sender = "" if self.sender is None else self.sender.address
        return await _probes[self.number].took(Received(message, sender, is_asked))


class Probe:
    """An actor for tests: what it is sent is looked at one by one, and what it is asked answered.

    Its address is `/trial/` + its name, a sibling of the actors that are tried. `replies` are
    given to the first questions; after them, a question waits for `reply`.

    >>> bank = Probe("bank", replies=["paid"])
    >>> bank.name
    'bank'
    """

    def __init__(self, name: str, *, replies: Any = ()) -> None:
        self.name = name
        self._number = 1 + max(_probes, default=0)
        _probes[self._number] = self
        self._replies = deque(replies)
        self._received: deque[Received] = deque()
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._trial: Trial | None = None
        self.last: Received | None = None

    def __repr__(self) -> str:
        return f"<probe {self.name}, {len(self._received)} messages not looked at>"

    def child(self, id: str | None = None) -> Child:
        """The probe as a part of a tree, under its name or another id."""
        return Child(id or self.name, Probing, init={"number": self._number})

    def begin(self, trial: Trial) -> None:
        """Be part of a trial."""
        self._trial = trial

    async def took(self, received: Received) -> Any:
        """Take a message; for the actor. Returns the answer, or raises it."""
        self._received.append(received)
        if not received.is_asked:
            return None
        if self._replies:
            return _given(self._replies.popleft())
        future = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        return _given(await self._stage.pauses.until(future))

    @property
    def _stage(self) -> Trial:
        if self._trial is None:
            raise UsageError(f"the probe {self.name} is in no trial: give it to Trial(…).")
        return self._trial

    # --- what tests say

    @property
    def waiting(self) -> list[Any]:
        """The messages that nobody has looked at, in order."""
        self._stage.settle()
        return [each.message for each in self._received]

    @overload
    def expect_message(self, message: type[M], *, within: float = 0.0) -> M: ...
    @overload
    def expect_message(self, message: M, *, within: float = 0.0) -> M: ...
    @overload
    def expect_message(self, *, within: float = 0.0) -> Any: ...
    def expect_message(self, message: Any = None, *, within: float = 0.0) -> Any:
        """The next message; it must be that one, or of that class, and come in `within` seconds.

        The seconds are of ledger time: if there is none yet, time is moved until one comes. Raises
        `AssertionError`.
        """
        self._stage.advance_until(lambda: bool(self._received), within)
        wanted = "a message" if message is None else repr(message)
        if not self._received:
            raise AssertionError(f"{self.name} got no message within {within:g} s, not {wanted}.")
        self.last = received = self._received.popleft()
        got = received.message
        fits = isinstance(got, message) if isinstance(message, type) else got == message
        if message is not None and not fits:
            sender = received.sender or "outside"
            raise AssertionError(f"{self.name} got {got!r} from {sender}, not {wanted}.")
        return got

    def expect_no_message(self, *, within: float = 0.0) -> None:
        """No message comes in the next `within` seconds of ledger time, nor waits unseen."""
        self._stage.advance_until(lambda: bool(self._received), within)
        if self._received:
            raise AssertionError(
                f"{self.name} got {self._received[0].message!r}, where no message was expected."
            )

    def reply(self, answer: Any) -> None:
        """Answer the oldest question that waits; an exception is what asking ends with.

        Of exceptions, `Reject` reaches who asked; any other is a crash of the probe.
        """
        self._stage.settle()
        if not self._asked:
            raise AssertionError(f"{self.name} was asked nothing that waits for a reply.")
        self._stage.on_kernel(self._settle, self._asked.popleft(), answer)

    def reject(self, reason: str) -> None:
        """Refuse the oldest question that waits."""
        self.reply(Reject(reason))

    def _settle(self, future: asyncio.Future[Any], answer: Any) -> None:
        if not future.done():
            future.set_result(answer)


def _given(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return answer
