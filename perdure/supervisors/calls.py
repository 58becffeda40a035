"""The API of a supervisor: what OTP answers to start_child, terminate_child and the like."""

from __future__ import annotations

from typing import assert_never

from perdure.mailbox.envelope import ReplyTo
from perdure.supervisors import actions, events
from perdure.supervisors.state import Entry, StartCall, StopCall, Supervision
from perdure.supervisors.walk import Decision, let_go, start_all, stop_all


def call(state: Supervision, event: events.Call) -> Decision:
    """The decision about a request of an idle supervisor's API."""
    match event:
        case events.AddChild():
            return _add(state, event)
        case events.TerminateChild(child=child, caller=caller):
            return _terminate(state, child, caller)
        case events.RestartChild(child=child, caller=caller):
            return _restart(state, child, caller)
        case events.DeleteChild(child=child, caller=caller):
            return _delete(state, child, caller)
        case events.WhichChildren(caller=caller):
            return state, (actions.Reply(caller, True, _which(state)),)
        case events.CountChildren(caller=caller):
            return state, (actions.Reply(caller, True, _count(state)),)
        case _:
            assert_never(event)


def _no(state: Supervision, caller: ReplyTo | None, why: str) -> Decision:
    return state, (actions.Reply(caller, False, why),)


def _add(state: Supervision, event: events.AddChild) -> Decision:
    child, caller = event.child, event.caller
    if child.significant and state.auto_shutdown == "never":
        return _no(state, caller, "bad_combination")
    old = state.children.get(child.id)
    if old is not None:
        return _no(state, caller, "already_started" if old.is_running else "already_present")
    added = state.with_entry(Entry.of(child))
    return start_all(added, StartCall(child.id, True, caller))


def _terminate(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    entry = state.children.get(child)
    if entry is None:
        return _no(state, caller, "not_found")
    if entry.is_running:
        return stop_all(state, StopCall(child, caller))
    down, gone = let_go(state, entry)
    return down, (*gone, actions.Reply(caller, True))


def _restart(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    entry = state.children.get(child)
    if entry is None:
        return _no(state, caller, "not_found")
    if entry.status != "undefined":
        return _no(state, caller, entry.status)
    return start_all(state, StartCall(child, False, caller))


def _delete(state: Supervision, child: str, caller: ReplyTo | None) -> Decision:
    entry = state.children.get(child)
    if entry is None:
        return _no(state, caller, "not_found")
    if entry.status != "undefined":
        return _no(state, caller, entry.status)
    return state.without(child), (actions.Forget(child), actions.Reply(caller, True))


def _which(state: Supervision) -> list[list[str]]:
    """[id, status, kind] of each child, latest first."""
    return [
        [entry.id, entry.status, "supervisor" if entry.supervisor else "worker"]
        for entry in reversed([*state.children.values()])
    ]


def _count(state: Supervision) -> dict[str, int]:
    entries = state.children.values()
    supervisors = sum(entry.supervisor for entry in entries)
    return {
        "specs": len(entries),
        "active": sum(entry.is_running for entry in entries),
        "supervisors": supervisors,
        "workers": len(entries) - supervisors,
    }
