"""perdure: an Erlang-style supervision runtime for agents, durable to the last message.

Names are imported when they are first used: `perdure --help` needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.actors.actor import Actor, field, nonblocking, volatile
    from perdure.actors.futures import Future
    from perdure.caps.tool import tool
    from perdure.clock import FakeClock
    from perdure.errors import AskTimeout, Crashed, Deadlock, Ignore, PerdureError, Reject
    from perdure.ids import MessageId, Ref
    from perdure.ledger.messages import message
    from perdure.mailbox.dead import DeadLetter
    from perdure.mailbox.signals import Down, Exited
    from perdure.runtime.report import Report
    from perdure.runtime.run import Run
    from perdure.supervisors.backoff import Backoff
    from perdure.supervisors.spec import Child, SupervisorSpec
    from perdure.supervisors.supervisor import Supervisor

__all__ = [
    "Actor",
    "AskTimeout",
    "Backoff",
    "Child",
    "Crashed",
    "DeadLetter",
    "Deadlock",
    "Down",
    "Exited",
    "FakeClock",
    "Future",
    "Ignore",
    "MessageId",
    "PerdureError",
    "Ref",
    "Reject",
    "Report",
    "Run",
    "Supervisor",
    "SupervisorSpec",
    "field",
    "message",
    "nonblocking",
    "tool",
    "volatile",
]

_HOMES = {
    "Actor": "perdure.actors.actor",
    "AskTimeout": "perdure.errors",
    "Backoff": "perdure.supervisors.backoff",
    "Child": "perdure.supervisors.spec",
    "Crashed": "perdure.errors",
    "DeadLetter": "perdure.mailbox.dead",
    "Deadlock": "perdure.errors",
    "Down": "perdure.mailbox.signals",
    "Exited": "perdure.mailbox.signals",
    "FakeClock": "perdure.clock",
    "Future": "perdure.actors.futures",
    "Ignore": "perdure.errors",
    "MessageId": "perdure.ids",
    "PerdureError": "perdure.errors",
    "Ref": "perdure.ids",
    "Reject": "perdure.errors",
    "Report": "perdure.runtime.report",
    "Run": "perdure.runtime.run",
    "Supervisor": "perdure.supervisors.supervisor",
    "SupervisorSpec": "perdure.supervisors.spec",
    "field": "perdure.actors.actor",
    "message": "perdure.ledger.messages",
    "nonblocking": "perdure.actors.actor",
    "tool": "perdure.caps.tool",
    "volatile": "perdure.actors.actor",
}
"""Where each name lives."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'perdure' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
