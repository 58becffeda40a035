"""The control lane of one actor: what is said to it between its turns, each decoded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView
from typing import TYPE_CHECKING, Any

from perdure.mailbox.control import Depart, Gone, Kill, Stop
from perdure.mailbox.signals import Signal

if TYPE_CHECKING:
    from perdure.ledger.values import Codec
    from perdure.mailbox.envelope import Envelope

PRESSING = (Gone, Kill, Stop, Depart, Signal)
"""What may go before messages that came earlier."""


class ControlLane(OrderedDict["Envelope", Any]):
    """Messages in order of arrival. A thousand children answer at once: each answer costs the same.

    >>> lane = ControlLane()
    >>> bool(lane), list(lane)
    (False, [])
    """

    __slots__ = ("_codec", "_unread", "pressing")

    def __init__(self) -> None:
        super().__init__()
        self.pressing: dict[Envelope, Any] = {}  # of those that were read; in order, too
        self._unread: list[Envelope] = []
        self._codec: Codec | None = None  # of the code that read them

    def append(self, env: Envelope) -> None:
        """Add the latest message."""
        self[env] = None
        self._unread.append(env)

    def remove(self, env: Envelope) -> None:
        """Take a message out; raises `KeyError` if it is not there."""
        del self[env]
        self.pressing.pop(env, None)

    def read(self, codec: Codec) -> ItemsView[Envelope, Any]:
        """The messages with what they say, as this code reads it."""
        if codec is not self._codec:
            self._codec, self._unread = codec, list(self)
        for env in self._unread:
            if env in self:
                message = self[env] = codec.decode(env.body)
                if isinstance(message, PRESSING):
                    self.pressing[env] = message
        self._unread.clear()
        return self.items()
