"""A supervisor's state as plain data, for its record, and back: `to_data`, `from_data`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from perdure.errors import LedgerDamaged
from perdure.mailbox.control import Reason
from perdure.supervisors.state import (
    Aborting,
    Down,
    Ending,
    Entry,
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
    "down": Down,
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


def to_data(state: Supervision) -> dict[str, Any]:
    """The state as dicts, lists, text and numbers; the order of `children` is the start order.

    >>> from_data(to_data(Supervision())) == Supervision()
    True
    """
    return {
        "strategy": state.strategy,
        "intensity": state.intensity,
        "period": state.period,
        "auto_shutdown": state.auto_shutdown,
        "children": {entry.id: _row(entry) for entry in state.children.values()},
        "restarts": [list(second) for second in state.restarts],
        "phase": _plain(state.phase),
    }


def from_data(data: Mapping[str, Any]) -> Supervision:
    """The state that `to_data` wrote; raises `LedgerDamaged` for anything else."""
    try:
        return Supervision(
            data["strategy"],
            data["intensity"],
            data["period"],
            data["auto_shutdown"],
            {id: Entry(id, *row) for id, row in data["children"].items()},
            tuple((second, count) for second, count in data["restarts"]),
            _rich(data["phase"]),
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise LedgerDamaged(f"the state of a supervisor cannot be read: {error!r}.") from error


def entry_text(entry: Entry) -> str:
    """A child's entry as text.

    >>> entry_of("a", entry_text(Entry("a", "permanent", 5.0, False, False))).restart
    'permanent'
    """
    return json.dumps(_row(entry), separators=(",", ":"))


def entry_of(id: str, text: str) -> Entry:
    """The entry that `entry_text` wrote; raises `LedgerDamaged` for anything else."""
    try:
        return Entry(id, *json.loads(text))
    except (TypeError, ValueError) as error:
        raise LedgerDamaged(f"the entry of child {id!r} cannot be read: {error!r}.") from error


def _row(entry: Entry) -> list[Any]:
    return [getattr(entry, each.name) for each in fields(entry)[1:]]


def _plain(value: Any) -> Any:
    name = _NAMES.get(type(value))
    if name is not None:
        return [name, *(_plain(getattr(value, each.name)) for each in fields(value))]
    return [_CALLER, *value] if isinstance(value, tuple) else value


def _rich(data: Any) -> Any:
    if not isinstance(data, list | tuple):
        return data
    name, *rest = data
    return tuple(rest) if name == _CALLER else _KINDS[name](*(_rich(each) for each in rest))
