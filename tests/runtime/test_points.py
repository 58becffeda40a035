"""Points: a number, a time or a mark means one record, and nonsense is refused in a sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from perdure.errors import UsageError
from perdure.ids import KERNEL_ID
from perdure.ledger.group import Group
from perdure.ledger.journal import pack_payload
from perdure.ledger.keys import mark_key
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Kind, Open, Run, Turn
from perdure.runtime.points import point
from perdure.runtime.view import View

START = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
START_NS = int(START.timestamp()) * 10**9
MS = 10**6


def turn(at_ns: int, *marks: str) -> tuple[int, bytes]:
    fields: list[Any] = [START_NS + at_ns, (), 2, 1, 1, (1, 0), (), bytes(16), None, None, ()]
    fields += [None, None, (3.0, 1.0, 3.0), 0, 2, (), (), (), marks]
    return int(Kind.TURN), pack_payload(tuple(Turn(*fields)))


@pytest.fixture(scope="module")
def view() -> View:
    """Records 1 to 6, at 0, 0, 20, 23, 30 and 3,723,450 ms after the start."""
    header = Run(START_NS, (), bytes(16), "s", "", 1, "", "", {}, b"", None, "cmu", 4)
    records = [
        (int(Kind.RUN), pack_payload(tuple(header))),
        (int(Kind.OPEN), pack_payload(tuple(Open(START_NS, (), 1, START_NS, "0", b"")))),
        turn(20 * MS, "draft"),
        turn(23 * MS, "draft", "read"),
        turn(30 * MS),
        turn(3_723_450 * MS),
    ]
    store = MemoryStore()
    marks = {"draft": 4, "read": 4}
    puts = [(mark_key(KERNEL_ID, name), seq.to_bytes(8, "big")) for name, seq in marks.items()]
    store.commit(Group(1, records, puts, time_ns=START_NS + 3_723_450 * MS))
    return View(store)


@pytest.fixture
def local_zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "PER-02"  # two hours ahead of UTC
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seq"),
    [
        ("1", 1),
        ("6", 6),
        ("00:00.02", 4),  # all that trace shows at 00:00.02
        ("00:00.020", 3),
        ("00:00.03", 5),
        ("00:00", 5),
        ("+0.0229", 3),
        ("+0", 5),
        ("+3723.45", 6),
        ("1:02:03.45", 6),
        ("1:02:02", 5),
        ("99:00:00", 6),  # past the end is the end
        ("2026-05-01T09:30:00.020Z", 3),
        ("2026-05-01T11:30:00.02+02:00", 4),
        ("2026-05-01 09:30:00Z", 5),
        ("2031-01-01", 6),
        ("draft", 4),  # the last that has it
        ("read", 4),
    ],
)
def test_a_point_is_the_last_record_at_or_before_it(view: View, text: str, seq: int) -> None:
    assert point(view, text) == seq


def test_a_date_without_a_zone_is_local(view: View, local_zone: None) -> None:
    there = START.astimezone(timezone(timedelta(hours=2)))
    assert point(view, f"{there:%Y-%m-%dT%H:%M:%S.02}") == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", r"there is no record 0: the journal has records 1 to 6\."),
        ("7", r"there is no record 7: the journal has records 1 to 6\."),
        ("draught", r"there is no mark 'draught' in this run\. Did you mean 'draft'\?"),
        ("-3", r"'-3' is before record 1: points are not counted from the end\."),
        ("", r"there is no mark ''"),
        ("+", r"'\+' is not a time\. A point is a record's number \(17\)"),
        ("+soon", r"'\+soon' is not a time"),
        ("12:99", r"'12:99' is not a time"),
        ("1:77:00", r"'1:77:00' is not a time"),
        ("00:00.0123456789", r"is not a time"),
        ("2026-13-45T00:00:00Z", r"'2026-13-45T00:00:00Z' is not a time"),
        ("2026-05-01T09:29:59Z", r"is before the run began, which was at 2026-05-01T09:30:00Z"),
    ],
)
def test_what_is_no_point_is_refused(view: View, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        point(view, text)
