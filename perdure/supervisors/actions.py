"""What a supervisor's decision tells its shell to do, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from perdure.mailbox.control import Reason
from perdure.mailbox.envelope import ReplyTo


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start the child (first make its actor, if it has none); answer with what came of it.

    What it is and begins with are the `spec` and the `init` of its entry in the state.
    """

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class StopChild:
    """Stop that incarnation within `shutdown` (seconds or a word); answer with `Stopped`.

    One that ended before is answered for too, with the reason that it really ended with. A pool's
    children are told all at once: their time begins together.
    """

    child: str
    incarnation: int
    shutdown: float | str


@dataclass(frozen=True, slots=True)
class Forget:
    """The child's spec is gone: its actor, if it has one, ends. The id later is another actor's."""

    child: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Post `TryAgain(child)` to the supervisor itself, behind what waits already."""

    child: str


@dataclass(frozen=True, slots=True)
class Report:
    """One of OTP's supervisor reports.

    `context` is child_terminated, start_error, shutdown_error or shutdown; `spec` is the id of the
    child's spec, which in a pool is not that of the child. `nb_children`: one report for so many
    children of a pool that stopped alike; `child` then is the id of their spec.
    """

    context: str
    child: str
    reason: Reason
    spec: str
    nb_children: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """All children are started for the first time: the supervisor itself has started."""


@dataclass(frozen=True, slots=True)
class InitFailed:
    """A child failed in the supervisor's own start; those before it are stopped again."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Declined:
    """The supervisor's own start declined: that is no failure."""


@dataclass(frozen=True, slots=True)
class ExitSelf:
    """All children are stopped: end with `reason`; `asked`: this answers the parent's stop."""

    reason: Reason
    asked: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an API call; `value` is plain data, a `Reason` after a failed start.

    Not `ok`, it is OTP's error: not_found, running, restarting, already_started, already_present,
    max_children, the name of a strategy that has no such call, or of a spec that cannot be, `why`
    (as in `BadSpec`), with a `text` for people. Of a start it is the child's id, or None when the
    child declined.
    """

    caller: ReplyTo | None
    ok: bool
    value: Any = None
    text: str = ""


Action = (
    StartChild
    | StopChild
    | Forget
    | TryAgain
    | Report
    | Ready
    | InitFailed
    | Declined
    | ExitSelf
    | Reply
)
