"""What can happen to a supervisor, as its decisions see it: children are named by spec ids.

The shell makes these of control messages (which name actors by their ids) and of API calls. An
event of an actor that is no longer the child of that id is not shown to `decide`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from perdure.mailbox.control import Reason
from perdure.mailbox.envelope import ReplyTo
from perdure.supervisors.spec import Child, SupervisorSpec


@dataclass(frozen=True, slots=True)
class Begin:
    """The supervisor's own start: a new incarnation of it, with the specs it was given."""

    spec: SupervisorSpec


@dataclass(frozen=True, slots=True)
class Decline:
    """The supervisor's own start that declined: it has no children this time."""


@dataclass(frozen=True, slots=True)
class CannotBegin:
    """The supervisor's own start that failed before its first child: its specs are wrong."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Halt:
    """It is told to end with `reason`; `asked`: by its parent, which awaits an answer."""

    reason: Reason
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Exit:
    """A child ended by itself; not `counted`: a crash on a redelivery, free of intensity.

    `escalated`: no restart of it alone will help.
    """

    child: str
    incarnation: int
    reason: Reason
    counted: bool = True
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """A child that was told to start has."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class StartFailed:
    """A child that was told to start could not."""

    child: str
    incarnation: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ignored:
    """A child that was told to start declined, which is no failure."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """A child that was told to stop has; `reason` is what really ended it."""

    child: str
    incarnation: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The supervisor's message to itself: the last restart of `child` failed."""

    child: str


@dataclass(frozen=True, slots=True)
class AddChild:
    """API (OTP's start_child): add a child at the end of the start order and start it.

    A spec as data is checked here, and what is wrong with it is the answer.
    """

    child: Child | Mapping[str, Any]
    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class AddInstance:
    """API (OTP's start_child of simple_one_for_one): start one more of the template.

    `init` goes over the template's own, now and at each restart of this one.
    """

    init: Mapping[str, Any] = field(default_factory=dict)
    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """API: stop a child and keep its spec; a temporary child's spec goes too."""

    child: str
    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class RestartChild:
    """API: start a child that is down."""

    child: str
    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """API: drop the spec of a child that is down."""

    child: str
    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class WhichChildren:
    """API: list the children, latest first as OTP does."""

    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class CountChildren:
    """API: count the children."""

    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class GetChildSpec:
    """API: the whole spec of a child, as data."""

    child: str
    caller: ReplyTo | None = None


@dataclass(frozen=True, slots=True)
class CodeChange:
    """New code told the supervisor other flags and children; None: it declined, nothing changes.

    As data it is checked here, and what is wrong with it is the answer.
    """

    spec: SupervisorSpec | Mapping[str, Any] | None
    caller: ReplyTo | None = None


Answer = Started | StartFailed | Ignored | Stopped
"""What a supervisor waits for while it starts or stops a child."""

Call = (
    AddChild
    | AddInstance
    | TerminateChild
    | RestartChild
    | DeleteChild
    | WhichChildren
    | CountChildren
    | GetChildSpec
    | CodeChange
)
"""Requests of its API, each answered with one `Reply`."""

Event = Begin | Decline | CannotBegin | Halt | Exit | TryAgain | Answer | Call
