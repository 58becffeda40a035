"""What a crash led to is decided again: retried or given up, who ends with it, who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from perdure import Actor, Backoff, Child
from perdure.ledger.records import Birth, Crash, Open, Record
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.kit import SECONDS, Disk, journal, of, program, resumed, running, settle
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


def test_a_child_of_a_try_that_died_with_its_process_is_met_after_a_restart_in_between() -> None:
    gate = {"is_late": False}

    class Waiting(Actor, name="tests.replay.waiting_parent"):
        async def on_receive(self, message: str) -> None:
            if gate["is_late"] and self.attempt == 1:
                raise ValueError("before it comes to that")
            self.spawn(Waiting, "kid")
            self.tell("kid", "hello") if message == "spawn" else None
            await self.sleep(1.0)

        async def on_start(self) -> None:
            self.tell("kid", "hello again") if gate["is_late"] else None

    disk, tree = Disk(), program(Child("a", Waiting, backoff=Backoff(first=0.0)))
    with running(tree, disk) as run:
        run.tell("/r/a", "spawn").get(timeout=SECONDS)
        settle(run)
    moment = next(m for m in disk.moments if any(birth.step for birth in of(m, Birth)))
    assert not of(moment, Crash)
    gate["is_late"] = True
    with resumed(tree, moment) as run:
        settle(run)
    assert of(moment, Crash)
    second = [seq for seq, body in enumerate(journal(moment), 1) if isinstance(body, Open)][1]

    class Edited(Replay):
        def _records(self) -> Iterator[Record]:
            for record in super()._records():
                gate["is_late"] = record.seq >= second
                yield record

    with Edited(View(moment.reopened()), Cast.of(tree)) as replay:
        assert [scene.seq for scene in replay.scenes()][-1] > second
    assert replay.is_identical, replay.diverged
