"""crash_everywhere: it finds what is wrong in handlers, and nothing in those that are right."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Child, field, message, tool
from perdure.errors import UsageError
from perdure.testing import CrashReport, Probe, crash_everywhere, lives, scripted, slow

SENT: list[str] = []
"""What reached the world outside."""


@message("everywhere.order")
class Order:
    to: str


def send(to: str) -> None:
    SENT.append(to)


@tool("everywhere.send", effect="external")
async def send_tool(to: str) -> str:
    SENT.append(to)
    return f"sent to {to}"


class Right(Actor, name="everywhere.right"):
    """Does what it does by steps."""

    sent: list[str] = field(default_factory=list)

    async def on_receive(self, message: Order) -> None:
        await self.sleep(60)
        self.sent.append(await self.call(send_tool, to=message.to))


class Careless(Right, name="everywhere.careless"):
    """Has an effect by itself."""

    async def on_receive(self, message: Order) -> None:
        send(message.to)
        self.sent.append(str(self.now()))


class Timed(Actor, name="everywhere.timed"):
    at: float = 0.0

    async def on_receive(self, message: Order) -> None:
        self.at = time.time()


class Diced(Actor, name="everywhere.diced"):
    async def on_receive(self, message: Order) -> None:
        await self.call(send_tool, to=str(random.random()))


class Dice(Actor, name="everywhere.dice"):
    async def on_receive(self, message: Order) -> None:
        await self.call(send_tool, to=str(self.random.random()))


class Unordered(Actor, name="everywhere.unordered"):
    async def on_receive(self, message: Order) -> None:
        for name in {"ann", "bob", "cyd", message.to}:
            self.tell("/trial/right", Order(name))


class Forgetful(Actor, name="everywhere.forgetful"):
    """Keeps what it needs where a crash does not keep it."""

    _seen = 0
    count: int = 0

    async def on_receive(self, message: Order) -> None:
        self._seen += 1
        self.count = self._seen
        await self.sleep(1)


def outside() -> list[str]:
    return sorted(SENT)


def crashed(actor: type[Actor], *others: Any, **options: Any) -> CrashReport:
    tells = [Order("ann"), Order("bob")]
    given = {"setup": SENT.clear, "witness": outside, "tells": tells}
    given |= options
    return crash_everywhere(actor, *others, **given)


def kinds(report: CrashReport) -> set[str]:
    return {problem.kind for problem in report.problems}


def test_nothing_is_found_where_handlers_do_everything_by_steps() -> None:
    report = crashed(Right)
    assert report.ok, str(report)
    assert report.crashes > report.writes > 10
    report.raise_for_problems()
    assert "no problem" in str(report)


def test_an_effect_past_the_verbs_happens_again_and_is_seen_by_the_witness() -> None:
    report = crashed(Careless)
    assert kinds(report) == {"outside"}
    text = str(report)
    assert "killed before write" in text
    assert "'bob']; with no crash it is ['ann', 'bob']" in text
    assert "make it a @tool" in text
    with pytest.raises(AssertionError, match="make it a @tool"):
        report.raise_for_problems()


@pytest.mark.parametrize("actor", [Timed, Diced])
def test_time_and_chance_of_the_machines_own_are_nondeterminism(actor: type[Actor]) -> None:
    report = crashed(actor, witness=None)
    assert "nondeterminism" in kinds(report)
    assert "self.now()" in str(report)


def test_chance_and_time_by_the_verbs_are_none_and_what_hangs_on_them_is_not_compared() -> None:
    report = crashed(Dice, witness=None)
    assert report.ok, str(report)
    assert report.unsettled == ("effect everywhere.send",)


def test_the_order_of_a_set_is_nondeterminism_that_shows_in_another_process() -> None:
    report = crashed(Unordered, Child("right", Right), witness=None, every=100, elsewhere=True)
    assert kinds(report) == {"nondeterminism"}
    assert report.notes == []
    assert "PYTHONHASHSEED" in str(report)


def test_what_cannot_be_imported_elsewhere_is_said_not_to_be_tried_there() -> None:
    class Local(Right, name="everywhere.local"):
        pass

    report = crashed(Local, every=100, elsewhere=True)
    assert report.ok
    assert "not tried in a process where sets have other orders" in str(report)


def test_state_that_is_not_declared_is_lost_and_the_end_is_another_one() -> None:
    report = crashed(Forgetful)
    assert "different end" in kinds(report)
    assert "state of /trial/forgetful, count: 1; with no crash it is 2" in str(report)


def test_scripts_give_what_they_gave_before_to_a_call_that_nobody_knows_of() -> None:
    script = scripted(send_tool, [ConnectionError("down"), "a", slow(100, "b"), "c"])
    report = crashed(
        Child("retrying", Right, attempts_max=5), tools=[script], witness=None, every=2
    )
    assert report.ok, str(report)


def test_a_run_that_ticks_for_ever_is_ended_when_its_time_is_over() -> None:
    report = crash_everywhere(Ticker, tells=["tick"], within=35.0)
    assert report.ok, str(report)
    assert report.writes < 40


class Hanging(Actor, name="everywhere.hanging"):
    async def on_receive(self, message: str) -> None:
        await asyncio.Event().wait()


def test_a_run_that_never_comes_to_rest_is_said_to_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "REAL_SECONDS_MAX", 0.2)
    report = crash_everywhere(Hanging, tells=["hang"])
    assert kinds(report) == {"stall"}
    assert "say within=SECONDS" in str(report)


class Unloadable(Actor, name="everywhere.unloadable"):
    def on_load(self) -> None:
        raise OSError("no such device")

    async def on_receive(self, message: str) -> None: ...


def test_a_run_that_fails_without_any_crash_is_a_problem() -> None:
    report = crash_everywhere(Unloadable, tells=["hello"])
    assert kinds(report) == {"error"}
    assert "no such device" in str(report)
    assert report.crashes == 0


class Ticker(Actor, name="everywhere.ticker"):
    ticks: int = 0

    async def on_receive(self, message: str) -> None:
        self.ticks += 1
        self.send_after(10.0, self.address, "tick")


def test_a_scenario_is_crashed_with_its_own_first_messages() -> None:
    report = crash_everywhere(Path("scenarios/counter"), every=3)
    assert report.ok, str(report)


def test_what_nobody_is_told_and_probes_are_refused() -> None:
    with pytest.raises(UsageError, match="say who is told"):
        crash_everywhere(Path("scenarios/counter"), tells=[Order("ann")])
    with pytest.raises(UsageError, match="probes are for Trial"):
        crash_everywhere(Right, Probe("desk"), tells=[Order("ann")])
