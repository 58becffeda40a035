"""What becomes of the messages of a temporary child that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child
from perdure.errors import Crashed
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, dead_letters, program, running, settle

gate = Gate()


class Guest(Actor, name="tests.temporary.guest"):
    """Waits at "wait" until it is let go, then crashes."""

    async def on_receive(self, message: Any) -> None:
        if message == "wait":
            await gate.passed()
            raise OSError("gone")


def test_what_waits_for_a_temporary_child_when_it_crashes_is_dead_letters() -> None:
    global gate
    gate, store = Gate(), MemoryStore()
    guest = Child("guest", Guest, restart="temporary", redelivery="none")
    with running(program(guest), store) as run:
        run.tell("/r/guest", "wait")
        gate.reached()
        for number in range(3):
            run.tell("/r/guest", number).get(timeout=SECONDS)
        gate.open()
        settle(run)
        run.tell("/r/guest", "later").get(timeout=SECONDS)
        settle(run)
    assert [to for to, _ in dead_letters(store)] == ["/r/guest"] * 5
    reasons = [reason for _, reason in dead_letters(store)]
    assert reasons[0] == "OSError: gone"
    assert reasons[1:4] == ["its actor is gone: OSError: gone"] * 3
    assert reasons[4] == "no such actor"


def test_who_asks_a_temporary_child_that_crashes_is_told() -> None:
    guest = Child("guest", Guest, restart="temporary", redelivery="none")
    global gate  # noqa: PLW0603
    gate = Gate()
    gate.open()
    with running(program(guest)) as run, pytest.raises(Crashed, match="OSError: gone"):
        run.ask("/r/guest", "wait", timeout=SECONDS)
