"""What requests mean to `decide`, and what its replies are to whoever asked; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.errors import CallFailed
from perdure.ids import Ref, join
from perdure.mailbox.control import Reason
from perdure.mailbox.envelope import ReplyTo
from perdure.mailbox.requests import (
    CodeChange,
    CountChildren,
    DeleteChild,
    GetChildSpec,
    Request,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from perdure.supervisors import actions, events

START_FAILED = "start_failed"


def event_of(request: Request, caller: ReplyTo | None) -> events.Call:
    """A request as an event; `caller` is who gets the reply."""
    match request:
        case StartChild(child=None, init=init):
            return events.AddInstance(init or {}, caller)
        case StartChild(child=child):
            return events.AddChild(child, caller)
        case TerminateChild(child=child):
            return events.TerminateChild(str(child), caller)
        case RestartChild(child=child):
            return events.RestartChild(str(child), caller)
        case DeleteChild(child=child):
            return events.DeleteChild(str(child), caller)
        case WhichChildren():
            return events.WhichChildren(caller)
        case CountChildren():
            return events.CountChildren(caller)
        case GetChildSpec(child=child):
            return events.GetChildSpec(str(child), caller)
        case CodeChange(spec=spec):
            return events.CodeChange(spec, caller)


def answer(reply: actions.Reply, address: str, child: str) -> object:
    """What a reply of the supervisor at `address` is to who asked, about `child` if of one.

    A failure is what `CallFailed` is made of again (see `actors/failures.py`).
    """
    value = reply.value
    if not reply.ok:
        return failure(reply, address, child)
    if isinstance(value, str):
        return Ref(join(address, value))
    if isinstance(value, list):
        return [_row(each, address) for each in value]
    return value


def _row(shown: Mapping[str, Any], address: str) -> dict[str, Any]:
    """A child as it is listed; one that is not running has no ref."""
    ref = Ref(join(address, shown["child"])) if shown["status"] == "running" else None
    return {**shown, "ref": ref}


def failure(reply: actions.Reply, address: str, child: str) -> tuple[Any, ...]:
    """(kind, text, module, why, ref, reason, value) of a request that cannot be."""
    value, ref, reason, detail = reply.value, None, None, None
    if isinstance(value, Reason):
        why, reason = START_FAILED, value
        cause = str(value).removesuffix(".")
        text = f"it could not be started: {cause}. Correct that, and start it again"
    elif isinstance(value, tuple):
        why, detail = str(value[0]), list(value[1:])
        text = reply.text.removesuffix(".")
    else:
        why = str(value)
        text = reply.text.removesuffix(".") or _TEXTS.get(why, why)
    if why == "already_started":
        ref = Ref(join(address, child))
    who = f"{address}: {child!r}: " if child and not reply.text else f"{address}: "
    return CallFailed.__name__, f"{who}{text}.", "", why, ref, reason, detail


_POOL = (
    "in this pool, start children with StartChild({}) and end them with TerminateChild of their "
    "number; it keeps no specs of those that are down"
)
_TEXTS = {
    "not_found": "there is no child of that id. WhichChildren lists them",
    "running": "the child runs. TerminateChild ends it first",
    "restarting": "the child is being restarted. TerminateChild has it stay down",
    "already_started": "a child of that id runs. Choose another id, or TerminateChild it first",
    "already_present": "a child of that id is down. RestartChild starts it, DeleteChild forgets it",
    "max_children": "it has as many children as it may. End one, or raise children_max",
    "simple_one_for_one": _POOL.format("init={…}"),
    "dynamic": _POOL.format("Child(…)"),
    **dict.fromkeys(
        ("one_for_one", "one_for_all", "rest_for_one"),
        "it is no pool: give the Child to start, StartChild(Child(…))",
    ),
}
