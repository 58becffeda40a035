"""Points of a run's past as people write them: a record's number, a time, a mark.

`state --at`, `diff`, `fork --at` and `replay --until` all mean the same by the same text.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from perdure.errors import Compacted, NotALedger, PerdureError, UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.group import Store
from perdure.ledger.keys import mark_id, mark_key, mark_prefix
from perdure.ledger.messages import suggest

if TYPE_CHECKING:
    from perdure.runtime.view import View

NS = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORMS = (
    "a record's number (17), a time since the run began as `perdure trace` shows it (00:00.02, "
    "1:02:03.5, +12.5), a date and time (2026-05-01T09:30:00Z; local without Z), or a mark"
)
"""What a point may be written as, for errors and help."""

_SINCE = re.compile(r"(?:(?:(\d+):)?(\d\d):)?(\d+)(?:\.(\d{1,9}))?")
_DATE = re.compile(r"\d{4}-?\d\d-?\d\d(?:[T ].*)?")


EMPTY = (
    "the ledger is empty: its process ended before anything was durable. Start it again: `perdure "
    "run SCENARIO --ledger DIR` takes the directory as new."
)


def no_record(seq: str, head: int) -> PerdureError:
    """What to say of a record that a journal up to `head` does not have."""
    if not head:
        return NotALedger(EMPTY)
    return UsageError(f"there is no record {seq[:40]}: the journal has records 1 to {head}.")


def point(view: View, text: str) -> int:
    """The record that a text means: the last one at or before it. Raises `UsageError`.

    A time means all of its last digit: 00:00.02 is up to just before 00:00.03, because a record
    that is shown at 00:00.02 is meant by it. Of several records with one mark, the last counts.
    """
    head = view.head.seq
    if text.isdecimal() and text.isascii():
        digits = text.lstrip("0") or "0"
        if len(digits) > len(str(head)) or not 1 <= int(digits) <= head:
            raise no_record(digits, head)
        return int(digits)
    if text.startswith("-"):
        raise UsageError(
            f"{text!r} is before record 1: points are not counted from the end. The journal has "
            f"records 1 to {head}. A point is {FORMS}."
        )
    after = _time(text, view.run.time)
    if after is None:
        return _marked(view.store, text)
    if after <= view.run.time:
        raise UsageError(f"{text} is before the run began, which was at {_shown(view.run.time)}.")
    return _last_before(view, after, head)


def _last_before(view: View, after: int, head: int) -> int:
    """The last record whose time is before `after`; record 1's is. Time never goes back."""
    cut = view.head.cut
    if cut and view.record(cut + 1).body.time >= after:
        raise Compacted(cut, cut)
    low, high = cut + 1, head
    while low < high:
        middle = (low + high + 1) // 2
        if view.record(middle).body.time < after:
            low = middle
        else:
            high = middle - 1
    return low


def _time(text: str, start_ns: int) -> int | None:
    """The ledger time that what `text` means is before; None for what is written as no time.

    >>> _time("00:00.02", 0), _time("+1.5", 0), _time("1970-01-01T00:00:01Z", 0), _time("draft", 0)
    (30000000, 1600000000, 2000000000, None)
    """
    since = _SINCE.fullmatch(text.removeprefix("+"))
    if since is not None and (text[0] == "+" or ":" in text):
        hours, minutes, seconds, fraction = since.groups()
        if minutes is not None and (len(seconds) != 2 or int(seconds) > 59):
            raise _no_time(text)
        if hours is not None and int(minutes) > 59:
            raise _no_time(text)
        whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds)
        digits = fraction or ""
        return start_ns + int(Decimal(f"{whole}.{digits or 0}") * NS) + NS // int(10 ** len(digits))
    if text[:1] == "+" or (text[:1].isdecimal() and ":" in text[:5]):
        raise _no_time(text)
    return _moment(text) if _DATE.fullmatch(text) else None


def _moment(text: str) -> int:
    """The end of the last digit of a date and time, local unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.astimezone()
        whole = (moment - EPOCH) // timedelta(microseconds=1) * 1_000
    except (ValueError, OverflowError) as error:
        raise _no_time(text) from error
    fraction = re.search(r"\.(\d{1,9})", text)
    return whole + (NS // int(10 ** min(len(fraction[1]), 6)) if fraction else NS)


def _no_time(text: str) -> UsageError:
    return UsageError(f"{text!r} is not a time. A point is {FORMS}.")


def _shown(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _marked(store: Store, name: str) -> int:
    """The record that a mark of the run names: the last one that was given it."""
    raw = store.get(mark_key(KERNEL_ID, name))
    if raw is not None:
        return int.from_bytes(raw, "big")
    known = [mark_id(key)[1] for key, _ in store.scan(mark_prefix(KERNEL_ID))]
    raise UsageError(
        f"there is no mark {name!r} in this run.{suggest(name, known)} A point is {FORMS}."
    )
