"""What a supervisor can be asked: OTP's start_child, terminate_child and the like, as messages.

They are sent with `ask` (or `tell`, if the answer does not matter) and name children by the ids of
their specs; those of a pool are numbers, as text. What cannot be is answered with `CallFailed`.
"""

from __future__ import annotations

from typing import Any

from perdure.errors import UsageError
from perdure.ledger.messages import message, registration


@message("perdure.start_child")
class StartChild:
    """To a supervisor: start a `child` more, last in the start order; the answer is its ref.

    `child` is a `Child`, or the data of one. Under simple_one_for_one there is none: `init` goes
    over that of the template. The answer is None when the child declines to start.
    """

    child: Any = None
    init: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.child is not None and self.init is not None:
            raise UsageError("StartChild: give `init` within the child. By itself it is a pool's.")
        to_data = getattr(self.child, "to_data", None)
        if to_data is not None:
            object.__setattr__(self, "child", to_data())


@message("perdure.terminate_child")
class TerminateChild:
    """To a supervisor: stop a child and keep its spec, unless it is temporary; answered None."""

    child: str


@message("perdure.restart_child")
class RestartChild:
    """To a supervisor: start a child that is down; the answer is its ref, None if it declines."""

    child: str


@message("perdure.delete_child")
class DeleteChild:
    """To a supervisor: forget the spec of a child that is down; answered None."""

    child: str


@message("perdure.which_children")
class WhichChildren:
    """To a supervisor: list the children, latest first, each as a dict.

    `child` is what requests call it, `id` the same, or None in a pool, as OTP has it; `status` is
    running, undefined or restarting; `ref` is None unless it runs; `type` and `modules` are those
    of its spec.
    """


@message("perdure.count_children")
class CountChildren:
    """To a supervisor: count `specs`, `active`, `supervisors` and `workers`; a dict."""


@message("perdure.get_child_spec")
class GetChildSpec:
    """To a supervisor: the whole spec of a child, as the data of a `Child`."""

    child: str


@message("perdure.code_change")
class CodeChange:
    """To a supervisor, from whoever loads new code: other flags and children, as data.

    The children that run go on. None says that the new code declines: nothing changes.
    """

    spec: dict[str, Any] | None


Request = (
    StartChild
    | TerminateChild
    | RestartChild
    | DeleteChild
    | WhichChildren
    | CountChildren
    | GetChildSpec
    | CodeChange
)
REQUESTS: frozenset[type] = frozenset(
    (
        StartChild,
        TerminateChild,
        RestartChild,
        DeleteChild,
        WhichChildren,
        CountChildren,
        GetChildSpec,
        CodeChange,
    )
)
"""The classes of all requests."""

OWN = "perdure."
"""What the names of perdure's own message classes begin with."""


def is_for_people(message: object) -> bool:
    """Whether people may send a message from outside: all but what perdure says to itself.

    >>> is_for_people(WhichChildren()), is_for_people(CodeChange(None)), is_for_people("hello")
    (True, False, True)
    """
    if type(message) in REQUESTS:
        return type(message) is not CodeChange
    noted = registration(type(message))
    return noted is None or not noted.name.startswith(OWN)
