"""Exit signals, as those of `exit/2` in OTP: who is hit, who is told, and what is at hand then."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, field
from perdure.errors import Crashed, UnknownActor, UsageError
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from perdure.mailbox.signals import Exited
from tests.kit import SECONDS, Gate, of, on_kernel, program, resumed, running, settle, until
from tests.replaying import assert_identical

gate = Gate()


@pytest.fixture(autouse=True)
def _new_gate() -> Any:
    global gate  # noqa: PLW0603 - actors are built by the kernel, and reach nothing else
    gate = Gate()
    yield
    gate.open()


class Plain(Actor, name="tests.signals.plain"):
    """Does not trap exits."""

    got: list[str] = field(default_factory=list)
    lives: int = 0

    async def on_start(self) -> None:
        self.lives += 1

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        if message == "lives":
            return self.lives
        if message == "wait":
            await gate.passed()
        if isinstance(message, Exited):
            self.got.append(f"{message.address or 'outside'}: {message.reason}")
        elif isinstance(message, tuple):
            self.exit(*message)
        else:
            self.got.append(message)
        return None


class Trapping(Plain, name="tests.signals.trapping"):
    trap_exit = True


def pair(**options: Any) -> Any:
    return program(Child("a", Plain, **options), Child("t", Trapping, **options))


def reason(run: Any, address: str) -> str:
    text: str = on_kernel(run, lambda: run.kernel.book.cell_at(address).reason)
    return text


def test_an_exit_signal_ends_a_life_with_its_reason_and_the_supervisor_restarts_it() -> None:
    store = MemoryStore()
    with running(pair(), store) as run:
        run.exit("/r/a", "out of paper")
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2
        assert run.ask("/r/t", "lives", timeout=SECONDS) == 1
        assert reason(run, "/r/a") == "out of paper"
    assert_identical(pair(), store)


def test_normal_from_another_has_no_effect() -> None:
    with running(pair()) as run:
        run.exit("/r/a", "normal")
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 1
        assert run.ask("/r/a", "got", timeout=SECONDS) == []


@pytest.mark.parametrize("why", ["normal", "shutdown", "out of paper"])
def test_who_traps_exits_gets_a_message_and_lives(why: str) -> None:
    store = MemoryStore()
    with running(pair(), store) as run:
        run.exit("/r/t", why)
        settle(run)
        assert run.ask("/r/t", "got", timeout=SECONDS) == [f"outside: {why}"]
        assert run.ask("/r/t", "lives", timeout=SECONDS) == 1
    assert_identical(pair(), store)


def test_kill_cannot_be_trapped_and_the_reason_is_killed() -> None:
    with running(pair()) as run:
        run.exit("/r/t", "kill")
        assert run.ask("/r/t", "lives", timeout=SECONDS) == 2
        assert reason(run, "/r/t") == "killed"


def test_actors_send_signals_when_their_turn_is_committed() -> None:
    store = MemoryStore()
    with running(pair(), store) as run:
        run.ask("/r/a", ("/r/t", "enough"), timeout=SECONDS)
        settle(run)
        assert run.ask("/r/t", "got", timeout=SECONDS) == ["/r/a: enough"]
        run.ask("/r/t", ("../a", "shutdown: tidy up"), timeout=SECONDS)
        settle(run)
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2
        assert reason(run, "/r/a") == "shutdown: tidy up"
    assert_identical(pair(), store)


def test_a_signal_to_nobody_is_lost() -> None:
    with running(pair()) as run:
        run.ask("/r/a", ("/r/nobody", "enough"), timeout=SECONDS)
        with pytest.raises(UnknownActor):
            run.exit("/r/nobody", "enough")


def test_a_reason_that_is_no_text_is_refused_and_the_run_goes_on() -> None:
    with running(pair(redelivery="none")) as run:
        nothing: Any = None
        with pytest.raises(UsageError, match="a reason is text, and None is none"):
            run.exit("/r/a", nothing)
        for wrong in (nothing, "\udc80"):
            with pytest.raises(UsageError, match="a reason is text"):
                run.stop("/r/a", wrong)
        with pytest.raises(Crashed, match="a reason is text"):
            run.ask("/r/a", ("/r/t", nothing), timeout=SECONDS)
        assert run.ask("/r/t", "got", timeout=SECONDS) == []


@pytest.mark.parametrize("address", [None, 5, "\udc80"], ids=["nothing", "a number", "no text"])
def test_what_is_no_address_is_refused_and_the_run_goes_on(address: Any) -> None:
    with running(pair()) as run:
        for verb in (run.suspend, run.unsuspend, run.stop, run.cancel, run.get_state):
            with pytest.raises(Exception, match="encode"):
                verb(address)
        assert run.ask("/r/t", "got", timeout=SECONDS) == []


def test_a_signal_to_oneself_is_a_stop() -> None:
    transient = program(Child("a", Plain, restart="transient"))
    with running(transient) as run:
        run.ask("/r/a", ("/r/a", "normal"), timeout=SECONDS)
        settle(run)
        assert on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").life) == Life.STOPPED


def test_a_signal_during_a_turn_fences_it_and_its_message_is_no_attempt() -> None:
    store = MemoryStore()
    with running(pair(attempts_max=1), store) as run:
        run.tell("/r/a", "wait")
        gate.reached()
        run.exit("/r/a", "out of paper")
        gate.reached()  # it is handled again, by the next life
        gate.open()
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["wait"]
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2
    assert of(store, records.Crash) == []


@pytest.mark.parametrize("why", ["normal", "shutdown", "out of paper"])
def test_a_supervisor_takes_no_signal_from_a_stranger(why: str) -> None:
    with running(pair()) as run:
        run.exit("/r", why)
        settle(run)
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 1


def test_a_transient_child_that_is_told_to_shut_down_stays_down() -> None:
    with running(program(Child("a", Plain, restart="transient"))) as run:
        run.exit("/r/a", "shutdown")
        until(run, lambda: run.kernel.book.cell_at("/r/a").life == Life.STOPPED)


# --- suspended actors


def test_a_suspended_actor_takes_nothing_until_it_goes_on_in_the_order_of_arrival() -> None:
    with running(pair()) as run:
        run.suspend("/r/a")
        for word in "abc":
            run.tell("/r/a", word).get(timeout=SECONDS)
        assert settle(run) is True
        assert on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").waiting) == 3
        run.unsuspend("/r/a")
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["a", "b", "c"]


def test_the_turn_that_a_suspended_actor_is_at_ends() -> None:
    with running(pair()) as run:
        run.tell("/r/a", "wait")
        gate.reached()
        run.suspend("/r/a")
        run.tell("/r/a", "next")
        gate.open()
        settle(run)
        assert run.get_state("/r/a") == {"got": ["wait"], "lives": 1}
        run.unsuspend("/r/a")
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["wait", "next"]


def test_suspending_twice_is_suspending_once() -> None:
    store = MemoryStore()
    with running(pair(), store) as run:
        run.suspend("/r/a")
        run.suspend("/r/a")
        run.unsuspend("/r/a")
        run.unsuspend("/r/a")
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 1
    assert len(of(store, records.Suspend)) == 2


def test_a_suspended_actor_stays_suspended_in_the_next_process() -> None:
    store = MemoryStore()
    with running(pair(), store) as run:
        run.suspend("/r/a")
        run.tell("/r/a", "later").get(timeout=SECONDS)
    with resumed(pair(), store := store.reopened()) as run:
        assert settle(run) is True
        assert run.get_state("/r/a") == {"got": [], "lives": 1}
        run.unsuspend("/r/a")
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["later"]
    assert_identical(pair(), store)


def test_a_suspended_supervisor_restarts_nobody_until_it_goes_on() -> None:
    with running(pair()) as run:
        run.suspend("/r")
        run.exit("/r/a", "out of paper")
        settle(run)
        assert on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").life) == Life.DOWN
        run.unsuspend("/r")
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2


def test_a_suspended_actor_can_be_killed_and_its_next_life_takes_messages() -> None:
    with running(pair()) as run:
        run.suspend("/r/a")
        run.tell("/r/a", "later")
        run.exit("/r/a", "kill")
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["later"]


# --- state from outside


def test_state_is_replaced_between_two_turns_and_that_is_in_the_journal() -> None:
    store = MemoryStore()
    with running(pair(), store) as run:
        run.ask("/r/a", "one", timeout=SECONDS)
        run.replace_state("/r/a", {"got": ["two"]}, timeout=SECONDS)
        run.tell("/r/a", "three").get(timeout=SECONDS)
        assert run.ask("/r/a", "got", timeout=SECONDS)[-2:] == ["two", "three"]
        assert run.get_state("/r/a")["lives"] == 1
    assert_identical(pair(), store)


@pytest.mark.parametrize("state", [{"unknown": 1}, {"got": object}])
def test_what_an_actor_cannot_have_is_refused_and_its_state_stays(state: Any) -> None:
    with running(pair()) as run:
        run.ask("/r/a", "one", timeout=SECONDS)
        with pytest.raises(Exception, match=r"(?i)no field 'unknown'|is a type"):
            run.replace_state("/r/a", state, timeout=SECONDS)
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["one"]


def test_the_state_of_a_suspended_actor_can_be_replaced() -> None:
    with running(pair()) as run:
        run.suspend("/r/a")
        run.replace_state("/r/a", {"got": ["two"]}, timeout=SECONDS)
        assert run.get_state("/r/a")["got"] == ["two"]
