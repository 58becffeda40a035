"""What a crash led to is decided again: retried or given up, who ends with it, who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from perdure import Actor
from perdure.ledger.records import Crash, Record
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.replaying import assert_identical, lived_by


class Bearing(Actor, name="tests.replay.bearing"):
    """Spawns a child at its first try, and crashes before it comes to that at its second."""

    async def on_receive(self, message: str) -> None:
        if message == "spawn":
            if self.attempt == 2:
                raise ValueError("not yet")
            self.spawn(Bearing, "kid", attempts_max=1)
            self.tell("kid", "wait")
            raise ValueError(message)


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("dead", (), "its dead letters"),
        ("lives", (), "who ends with it"),
        ("not_before", 7, "the next attempt"),
        ("sends", (), "message 1 of 0 that it sends"),
    ],
)
def test_a_crash_that_leads_elsewhere_than_recorded_diverges(
    field: str, value: Any, what: str
) -> None:
    tree, store = lived_by("spawn", a=Bearing)
    assert_identical(tree, store)
    with View(store.reopened()) as view:
        crashes = [record for record in view.records() if isinstance(record.body, Crash)]
        last = crashes[-1]
        assert last.body.dead
        assert last.body.lives

        class Told(Replay):
            def _records(self) -> Iterator[Record]:
                for record in super()._records():
                    is_last = record.seq == last.seq
                    body = record.body._replace(**{field: value}) if is_last else record.body
                    yield record._replace(body=body)

        with Told(view, Cast.of(tree)) as replay:
            seen = [scene.seq for scene in replay.scenes()]
    assert replay.diverged is not None
    assert seen[-1] == last.seq
    assert what in [each.what for each in replay.diverged.differences]
