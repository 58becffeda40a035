"""The API of a supervisor: what OTP answers to start_child, terminate_child and the like.

Those of `dynamic` are answered as Elixir's DynamicSupervisor does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, assert_never

from perdure.mailbox.envelope import ReplyTo
from perdure.supervisors import actions, checks, events
from perdure.supervisors.codechange import changed
from perdure.supervisors.entry import Entry
from perdure.supervisors.pools import number_of
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.spec import Child
from perdure.supervisors.state import StartCall, StopCall, Supervision
from perdure.supervisors.walk import Decision, let_go, start_all, stop_all


def call(state: Supervision, event: events.Call) -> Decision:
    """The decision about a request of an idle supervisor's API."""
    try:
        return _call(state, event)
    except BadSpec as error:
        return state, (actions.Reply(event.caller, False, error.why, str(error)),)
    except Exception as error:  # noqa: BLE001 - whoever asks nonsense may not end the supervisor
        text = f"the request cannot be read: {type(error).__name__}: {error}"
        return state, (actions.Reply(event.caller, False, "invalid_child_spec", text),)


def _call(state: Supervision, event: events.Call) -> Decision:
    match event:
        case events.AddChild():
            return _add(state, event)
        case events.AddInstance():
            return _add_instance(state, event)
        case events.TerminateChild(child=child, caller=caller):
            return _terminate(state, child, caller)
        case events.RestartChild(child=child, caller=caller):
            return _restart(state, child, caller)
        case events.DeleteChild(child=child, caller=caller):
            return _delete(state, child, caller)
        case events.WhichChildren(caller=caller):
            return _yes(state, caller, _which(state))
        case events.CountChildren(caller=caller):
            return _yes(state, caller, _count(state))
        case events.GetChildSpec(child=child, caller=caller):
            return _get(state, child, caller)
        case events.CodeChange(caller=caller):
            return _yes(changed(state, event), caller)
        case _:
            assert_never(event)


def _yes(state: Supervision, caller: ReplyTo | None, value: Any = None) -> Decision:
    return state, (actions.Reply(caller, True, value),)


def _no(state: Supervision, caller: ReplyTo | None, why: str) -> Decision:
    return state, (actions.Reply(caller, False, why),)


def _add(state: Supervision, event: events.AddChild) -> Decision:
    caller = event.caller
    if state.template is not None:
        return _no(state, caller, state.strategy)
    child = _checked(state, event.child)
    if state.is_pool:
        if state.children_max is not None and len(state.children) >= state.children_max:
            return _no(state, caller, "max_children")
        return _start_numbered(state, Entry.of(child), caller)
    old = state.children.get(child.id)
    if old is not None:
        return _no(state, caller, "already_started" if old.is_running else "already_present")
    return start_all(state.with_entry(Entry.of(child)), StartCall(child.id, True, caller))


def _checked(state: Supervision, child: Child | Mapping[str, Any]) -> Child:
    if not isinstance(child, Child):
        child = Child.from_data(child, state.auto_shutdown)
    who = f"child {child.id!r}"
    checks.significance(who, child.significant, child.restart, state.auto_shutdown)
    return child


def _add_instance(state: Supervision, event: events.AddInstance) -> Decision:
    if state.template is None:
        return _no(state, event.caller, state.strategy)
    extras = checks.init(f"child {state.template.id!r}", event.init)
    return _start_numbered(state, replace(state.template, extras=extras), event.caller)


def _start_numbered(state: Supervision, entry: Entry, caller: ReplyTo | None) -> Decision:
    numbered, entry = state.numbering(entry)
    return start_all(numbered, StartCall(entry.id, True, caller))


def _terminate(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    entry = state.children.get(child)
    if entry is None:
        return _terminate_absent(state, child, caller)
    if entry.is_running:
        return stop_all(state, StopCall(child, caller))
    down, gone = let_go(state, entry)
    return down, (*gone, actions.Reply(caller, True))


def _terminate_absent(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    """Under simple_one_for_one an instance is told by its number: one that is dead is ok."""
    if state.template is None or "/" in child:
        return _no(state, caller, "not_found")
    if number_of(child) is None:
        return _no(state, caller, state.strategy)
    return _yes(state, caller)


def _restart(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    entry = state.children.get(child)
    if state.is_pool:
        return _no(state, caller, state.strategy)
    if entry is None:
        return _no(state, caller, "not_found")
    if entry.status != "undefined":
        return _no(state, caller, entry.status)
    return start_all(state, StartCall(child, False, caller))


def _delete(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    entry = state.children.get(child)
    if state.is_pool:
        return _no(state, caller, state.strategy)
    if entry is None:
        return _no(state, caller, "not_found")
    if entry.status != "undefined":
        return _no(state, caller, entry.status)
    return state.without(child), (actions.Forget(child), actions.Reply(caller, True))


def _get(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    """The spec of a child; of an instance of a template, gone or not, that of the template."""
    entry = state.template
    if entry is None:
        entry = state.children.get(child)
    elif child != entry.id and number_of(child) is None:
        entry = None
    if entry is None:
        return _no(state, caller, "not_found")
    dropped = {"init": None} if entry.extras is None else {}
    return _yes(state, caller, entry.spec.to_data() | dropped)


def _which(state: Supervision) -> list[dict[str, Any]]:
    """Each child, latest first; `id` is its spec's, which a pool does not tell."""
    return [
        {
            "child": entry.id,
            "id": None if state.is_pool else entry.id,
            "status": entry.status,
            "type": entry.spec.type,
            "modules": entry.spec.shown_modules,
        }
        for entry in reversed([*state.children.values()])
    ]


def _count(state: Supervision) -> dict[str, int]:
    """How many there are: of a template all are one spec."""
    entries = state.children.values()
    supervisors = sum(entry.spec.is_supervisor for entry in entries)
    return {
        "specs": len(entries) if state.template is None else 1,
        "active": sum(entry.is_running for entry in entries),
        "supervisors": supervisors,
        "workers": len(entries) - supervisors,
    }
