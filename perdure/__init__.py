"""perdure: an Erlang-style supervision runtime for agents, durable to the last message."""

from perdure.actors.actor import Actor, field, nonblocking, volatile
from perdure.actors.futures import Future
from perdure.caps.tool import tool
from perdure.clock import FakeClock
from perdure.errors import PerdureError, Reject
from perdure.ids import MessageId, Ref
from perdure.ledger.messages import message
from perdure.mailbox.dead import DeadLetter
from perdure.runtime.run import Report, Run
from perdure.supervisors.spec import Backoff, Child, SupervisorSpec
from perdure.supervisors.supervisor import Supervisor

__all__ = [
    "Actor",
    "Backoff",
    "Child",
    "DeadLetter",
    "FakeClock",
    "Future",
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
