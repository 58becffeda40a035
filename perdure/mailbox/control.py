"""What supervisors, their children and the kernel say to each other: the control lane's messages.

Actors are named by their ids here; a supervisor's own events name children by their spec ids.
"""

from __future__ import annotations

from typing import Any

from perdure.errors import UsageError
from perdure.ledger.messages import message


@message("perdure.reason")
class Reason:
    """Why an actor ended: `kind` is normal, shutdown, killed or crash; `detail` says more.

    `Reason("shutdown", "x")` is OTP's `{shutdown, x}`. A supervisor that could not start ends with
    kind shutdown, the `child` that failed, and that child's own reason as `cause`.

    >>> Reason("crash", "ValueError: no such page").abnormal
    True
    """

    kind: str
    detail: str | None = None
    child: str | None = None
    cause: Reason | None = None

    @property
    def abnormal(self) -> bool:
        """Whether a transient child with this reason is restarted."""
        return self.kind not in ("normal", "shutdown")

    def __str__(self) -> str:
        text = self.kind if self.detail is None else f"{self.kind}: {self.detail}"
        if self.kind == "crash" and self.detail is not None:
            text = self.detail
        if self.child is not None:
            text = f"{text} {self.child!r}"
        return text if self.cause is None else f"{text}: {self.cause}"


NORMAL = Reason("normal")
SHUTDOWN = Reason("shutdown")
KILLED = Reason("killed")
CANCELLED = Reason("shutdown", "cancelled")


def crash(error: BaseException) -> Reason:
    """The reason of an actor out of which `error` came: its class name and its text.

    >>> str(crash(KeyError("page")))
    "KeyError: 'page'"
    """
    text = str(error)
    name = type(error).__name__
    return Reason("crash", f"{name}: {text}" if text else name)


def reason_text(reason: object) -> str:
    """A reason that somebody gives, which must be text. Raises `UsageError`.

    >>> reason_text("shutdown: enough")
    'shutdown: enough'
    """
    if isinstance(reason, str) and not any("\ud800" <= each <= "\udfff" for each in reason):
        return reason
    raise UsageError(f'a reason is text, and {reason!r:.200} is none. Write "normal", or say why.')


def read_reason(text: str) -> Reason:
    """The reason that a row keeps as text.

    >>> read_reason("shutdown: enough"), read_reason("KeyError: 'page'").kind
    (Reason(kind='shutdown', detail='enough', child=None, cause=None), 'crash')
    """
    kind, colon, detail = text.partition(": ")
    if kind in ("normal", "shutdown", "killed"):
        return Reason(kind, detail if colon else None)
    return Reason("crash", text)


def start_failed(child: str, cause: Reason) -> Reason:
    """The reason of a supervisor whose `child` could not be started for the first time.

    >>> str(start_failed("editor", Reason("crash", "OSError: no disk")))
    "shutdown: failed to start child 'editor': OSError: no disk"
    """
    return Reason("shutdown", "failed to start child", child, cause)


@message("perdure.start")
class Start:
    """To an actor: live your `incarnation`-th life; `reason` is what ended the one before."""

    incarnation: int
    reason: Reason | None = None


@message("perdure.stop")
class Stop:
    """To an actor: end this life within `shutdown` seconds, or "infinity", or "brutal_kill".

    Not `asked`: somebody else than its supervisor says so, which then hears of it as an `Exit`.
    """

    incarnation: int
    shutdown: float | str
    reason: Reason
    asked: bool = True


@message("perdure.depart")
class Depart:
    """From an actor to itself: it stops itself with `reason`; its `on_stop` comes first."""

    incarnation: int
    reason: Reason


@message("perdure.gone")
class Gone:
    """From a killed supervisor to itself, to be taken when nothing below it lives any more.

    `asked`: its own supervisor killed it, and awaits an answer.
    """

    incarnation: int
    asked: bool


@message("perdure.kill")
class Kill:
    """To an actor: end this life at once, whatever it is doing."""

    incarnation: int


@message("perdure.exit")
class Exit:
    """To a supervisor: its actor `child` ended by itself.

    `counted` is False for a crash on a redelivery: the strategy applies, intensity is not charged.
    `escalated`: it has crashed so often in a row that no restart of it alone will help.
    """

    child: int
    incarnation: int
    reason: Reason
    counted: bool = True
    escalated: bool = False


@message("perdure.started")
class Started:
    """To a supervisor: the start that it asked for succeeded."""

    child: int
    incarnation: int


@message("perdure.start_failed")
class StartFailed:
    """To a supervisor: the start that it asked for failed."""

    child: int
    incarnation: int
    reason: Reason


@message("perdure.ignored")
class Ignored:
    """To a supervisor: the actor declined to start, and that is no failure."""

    child: int
    incarnation: int
    reason: Reason = NORMAL


@message("perdure.stopped")
class Stopped:
    """To a supervisor: the stop that it asked for is done; `reason` is what really ended it."""

    child: int
    incarnation: int
    reason: Reason


@message("perdure.new_code")
class NewCode:
    """To a supervisor: its code was loaded anew. `spec` is what its scenario gives it now; None:
    it is a class, and says so itself.
    """

    spec: dict[str, Any] | None = None


@message("perdure.wake")
class Wake:
    """To the kernel: the sleep that this is a reply to is over."""


@message("perdure.timeout")
class Timeout:
    """To the kernel: the ask that this is a reply to had no answer in its time."""

    text: str


@message("perdure.try_again")
class TryAgain:
    """From a supervisor to itself: restart `child` (a spec id), whose last restart failed."""

    child: str
