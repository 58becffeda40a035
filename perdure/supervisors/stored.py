"""A supervisor's state as plain data, for its record, and back: `to_data`, `from_data`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from perdure.errors import LedgerDamaged, UsageError
from perdure.mailbox.control import Reason
from perdure.supervisors.entry import Entry
from perdure.supervisors.fields import fields_of
from perdure.supervisors.pools import Instances
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.siblings import Siblings
from perdure.supervisors.spec import Child
from perdure.supervisors.state import (
    Aborting,
    Badly,
    Down,
    Emptying,
    Ending,
    Idle,
    Init,
    Restart,
    StartCall,
    Starting,
    StopCall,
    Stopping,
    Supervision,
)

_KINDS: dict[str, type[Any]] = {
    "aborting": Aborting,
    "badly": Badly,
    "down": Down,
    "emptying": Emptying,
    "ending": Ending,
    "idle": Idle,
    "init": Init,
    "reason": Reason,
    "restart": Restart,
    "start_call": StartCall,
    "starting": Starting,
    "stop_call": StopCall,
    "stopping": Stopping,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_CALLER = "caller"
_MANY = "many"


def to_data(state: Supervision) -> dict[str, Any]:
    """The state as dicts, lists, text and numbers; the order of `children` is the start order.

    >>> from_data(to_data(Supervision())) == Supervision()
    True
    """
    return _flags(state) | {
        "template": None if state.template is None else spec_data(state.template),
        "children": {
            entry.id: [entry_text(entry), spec_data(entry, state.template)]
            for entry in state.children.values()
        },
    }


def flags_text(state: Supervision) -> str:
    """As text, the state without its children, which each event changes few of.

    >>> flags_text(Supervision()) == text(to_data(Supervision()))
    True
    """
    head = _head(
        state.strategy, state.intensity, state.period, state.auto_shutdown, state.children_max,
        state.numbered, state.starts,
    )  # fmt: skip
    return head + text(_moving(state))[1:]


@lru_cache(maxsize=256, typed=True)
def _head(*flags: Any) -> str:
    """What comes first and is the same from one event to the next, but in a pool."""
    state = Supervision(*flags)
    return text(_flags(state)).removesuffix(text(_moving(state))[1:])


def _flags(state: Supervision) -> dict[str, Any]:
    return {
        "strategy": state.strategy,
        "intensity": state.intensity,
        "period": state.period,
        "auto_shutdown": state.auto_shutdown,
        "children_max": state.children_max,
        "numbered": state.numbered,
        "starts": state.starts,
        "template": None,
        "children": {},
        **_moving(state),
    }


def _moving(state: Supervision) -> dict[str, Any]:
    return {
        "restarts": [list(second) for second in state.restarts],
        "phase": _plain(state.phase),
    }


text = json.JSONEncoder(separators=(",", ":")).encode
"""Data as the state of a supervisor has it: made once, as each event writes."""


def from_data(data: Mapping[str, Any]) -> Supervision:
    """The state that `to_data` wrote; raises `LedgerDamaged` for anything else."""
    try:
        template = data["template"] and entry_of("", _NOT_STARTED, data["template"])
        if template:
            template = Entry.of(template.spec)
        state = Supervision(
            data["strategy"],
            data["intensity"],
            data["period"],
            data["auto_shutdown"],
            data["children_max"],
            data["numbered"],
            data["starts"],
            template,
            {},
            tuple((second, count) for second, count in data["restarts"]),
            _rich(data["phase"]),
        )
        return with_entries(state, data["children"].items())
    except (AttributeError, LookupError, TypeError, ValueError, BadSpec) as error:
        raise LedgerDamaged(f"the state of a supervisor cannot be read: {error!r}.") from error


def with_entries(state: Supervision, rows: Iterable[tuple[str, Sequence[Any]]]) -> Supervision:
    """A state with the children of (id, (`entry_text`, `spec_data`)), in that order."""
    entries = {id: entry_of(id, text, spec, state.template) for id, (text, spec) in rows}
    return state.with_children((Instances if state.is_pool else Siblings).of(entries))


_NOT_STARTED = '["undefined",0]'


def entry_text(entry: Entry) -> str:
    """What changes in an entry, as text; what it is, is `spec_data`.

    >>> entry_text(Entry("a", Child("a", "A"), {}, "running", 2))
    '["running",2]'
    """
    place = f",{entry.place}" if entry.place else ""
    return f'["{entry.status}",{entry.incarnation}{place}]'


def spec_data(entry: Entry, template: Entry | None = None) -> dict[str, Any]:
    """What an entry is: the fields of its spec that are not the default; its extras.

    What the template says is left out.

    >>> spec_data(Entry.of(Child("a", "A", restart="transient")))
    {'id': 'a', 'actor': 'A', 'restart': 'transient', 'shutdown': 5.0}
    """
    if template is not None:
        return {} if entry.extras == {} else {_EXTRAS: entry.extras}
    data = entry.spec.to_data()
    lean = {key: value for key, value in data.items() if key in _KEPT or value != _USUAL[key]}
    return lean if entry.extras == {} else lean | {_EXTRAS: entry.extras}


def entry_of(id: str, text: str, spec: Mapping[str, Any], template: Entry | None = None) -> Entry:
    """The entry that `entry_text` and `spec_data` wrote; raises `LedgerDamaged` for others."""
    try:
        status, incarnation, *place = json.loads(text)
        kept = dict(spec)
        extras = kept.pop(_EXTRAS, {})
        child = Child.from_data(kept) if template is None else template.spec
        return Entry(id, child, extras, status, incarnation, *place)
    except (TypeError, ValueError, UsageError) as error:
        raise LedgerDamaged(f"the entry of child {id!r} cannot be read: {error!r}.") from error


_EXTRAS = "extras"
_KEPT = ("id", "actor", "shutdown")
_USUAL = Child("a", "A").to_data()


def _plain(value: Any) -> Any:
    name = _NAMES.get(type(value))
    if name is not None:
        return [name, *map(_plain, fields_of(value).values())]
    if not isinstance(value, tuple):
        return value
    if not value or type(value[0]) in _NAMES:
        return [_MANY, *(_plain(each) for each in value)]
    return [_CALLER, *value]


def _rich(data: Any) -> Any:
    if not isinstance(data, list | tuple):
        return data
    name, *rest = data
    if name == _CALLER:
        return tuple(rest)
    found = [_rich(each) for each in rest]
    return tuple(found) if name == _MANY else _KINDS[name](*found)


KERNEL_KEYS = (
    "attempts_max", "backoff", "breaker", "deadline", "redelivery", "restart", "restore",
    "restore_after", "shutdown",
)  # fmt: skip
"""What the kernel itself needs of a child's spec."""


def kernel_part(data: dict[str, Any]) -> dict[str, Any]:
    """The part of a child's data that the kernel keeps, as it comes back from a row."""
    part = {key: data[key] for key in KERNEL_KEYS if key in data}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in part.items()}


def kernel_spec(child: Child) -> dict[str, Any]:
    """`kernel_part` of a child's data, without the rest of that.

    >>> child = Child("a", "A", restore=("committed", "fresh"))
    >>> kernel_spec(child) == kernel_part(child.to_data())
    True
    """
    return {key: getattr(child, key) for key in KERNEL_KEYS} | {"backoff": child.backoff.to_data()}
