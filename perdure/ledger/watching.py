"""Links and monitors as rows: how one life hangs on another, seen from both ends; pure.

Under each end there is a row of the other: `linked` under both; `watches` under who monitors, and
`watched` under the monitored. They are of two lives, and go with whichever ends first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from perdure.ledger.keys import watch_id, watch_prefix

if TYPE_CHECKING:
    from perdure.ledger.group import Store

LINKED, WATCHES, WATCHED = "linked", "watches", "watched"
LINK, UNLINK, MONITOR, DEMONITOR = "link", "unlink", "monitor", "demonitor"

Watches = dict[tuple[int, str], str]
"""(other's id, monitor's id or ''), and how; of one actor."""
Change = tuple[str, int, str]
"""(verb, other's id or 0 for one that has no life, monitor's id or '')."""
Of = Callable[[int], Watches]
"""The watches of an actor, to be changed in place."""


def read_watches(store: Store, actor: int) -> Watches:
    """The durable watches of an actor."""
    rows = store.scan(watch_prefix(actor))
    return {watch_id(key)[1:]: how.decode() for key, how in rows}


def change(of: Of, actor: int, changes: Iterable[Change]) -> list[int]:
    """Have an actor's turn change what it watches; returns whose rows changed.

    >>> rows = {1: {}, 2: {}}
    >>> change(rows.get, 1, [("monitor", 2, "9.0.1")]), rows
    ([1, 2], {1: {(2, '9.0.1'): 'watches'}, 2: {(1, '9.0.1'): 'watched'}})
    """
    touched: dict[int, None] = {}
    for verb, other, monitor in changes:
        if verb == LINK and other:
            of(actor)[other, ""] = of(other)[actor, ""] = LINKED
        elif verb == MONITOR and other:
            of(actor)[other, monitor], of(other)[actor, monitor] = WATCHES, WATCHED
        elif verb == UNLINK and (other, "") in of(actor):
            del of(actor)[other, ""], of(other)[actor, ""]
        elif verb == DEMONITOR and of(actor).get((other, monitor)) == WATCHES:
            del of(actor)[other, monitor], of(other)[actor, monitor]
        else:
            continue
        touched |= {actor: None, other: None}
    return list(touched)


def end(of: Of, actor: int) -> list[int]:
    """Drop all that hangs on a life that ended; returns whose rows changed."""
    touched = dict.fromkeys([actor] if of(actor) else [])
    for other, monitor in of(actor):
        of(other).pop((actor, monitor), None)
        touched[other] = None
    of(actor).clear()
    return list(touched)
