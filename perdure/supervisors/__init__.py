"""What happens after a fall: specs, restarts, decide, the Supervisor actor, and what it is asked.

Requests are messages: `await self.ask("/pool", StartChild(Child("a", "Worker")))`. Names are
imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.errors import CallFailed
    from perdure.mailbox.requests import (
        CountChildren,
        DeleteChild,
        GetChildSpec,
        RestartChild,
        StartChild,
        TerminateChild,
        WhichChildren,
    )
    from perdure.supervisors.childspecs import check_childspecs

__all__ = [
    "CallFailed",
    "CountChildren",
    "DeleteChild",
    "GetChildSpec",
    "RestartChild",
    "StartChild",
    "TerminateChild",
    "WhichChildren",
    "check_childspecs",
]

_HOMES = {
    "CallFailed": "perdure.errors",
    "check_childspecs": "perdure.supervisors.childspecs",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'perdure.supervisors' has no attribute {name!r}")
    home = import_module(_HOMES.get(name, "perdure.mailbox.requests"))
    value = globals()[name] = getattr(home, name)
    return value
