"""Method calls as messages: what Pykka's proxies send, in a form that has bytes."""

from __future__ import annotations

from typing import Any

from perdure.ledger.messages import message


@message("perdure.call")
class Call:
    """Call the method at `path` of the actor."""

    path: tuple[str, ...]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@message("perdure.get")
class Get:
    """Read the attribute at `path` of the actor."""

    path: tuple[str, ...]


@message("perdure.set")
class Set:
    """Assign to the attribute at `path` of the actor."""

    path: tuple[str, ...]
    value: Any


@message("perdure.leave")
class Leave:
    """Stop when the messages before this one are handled; its supervisor decides what then."""


PROXIED = (Call, Get, Set, Leave)
