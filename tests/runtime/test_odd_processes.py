"""Processes that are stopped, forked or hang, and clocks that jump: nothing is lost or held up."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run
from perdure.actors.events import Event
from perdure.actors.lingering import Lingering
from perdure.actors.watchdog import Watchdog
from perdure.clock import NS
from perdure.ledger.memory import MemoryStore
from perdure.ledger.store import open_store
from perdure.limits import READER_BEHIND_GROUPS
from perdure.runtime.ingress import Posted, outcome
from tests.cli.verbs import answer, perdure
from tests.desk import SECONDS, at_desk, going_on
from tests.kit import advance, journal, program, settle
from tests.ledger.stores import ask, child, end, group

HOUR = 3_600.0
YEARS = 10 * 365 * 24 * HOUR


# --- processes that stand still

LOOKS = [
    ("show",), ("tree",), ("ps",), ("trace",), ("dead",), ("doubt",), ("why", "9"), ("diff", "5"),
    ("state", "/desk/counter"),
]  # fmt: skip


def stop(pid: int) -> None:
    """Stop a child process, and return when it stands still."""
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)


def test_verbs_answer_beside_an_owner_that_is_stopped_and_resume_names_it(tmp_path: Path) -> None:
    words, directory = at_desk(tmp_path)
    with going_on(*words, directory=directory) as owner:
        before = {verb: perdure(verb[0], directory, *verb[1:]).stdout for verb in LOOKS[3:]}
        stop(owner.pid)
        for verb in LOOKS:
            said = perdure(verb[0], directory, *verb[1:])
            assert said.exit_code == 0, (verb, said.stderr)
            assert said.stdout == before.get(verb, said.stdout)
        for verb in ("resume", "replay"):
            said = perdure(verb, directory)
            assert "Traceback" not in said.stderr
            assert verb == "replay" or f"in use by process {owner.pid}" in said.stderr
        os.kill(owner.pid, signal.SIGCONT)
        told = perdure("tell", directory, "/desk/counter", '{"$": "Add", "number": 3}', "--ask")
        assert told.stdout == "[3]\n"


POST_HALF = """
import os, signal, sys
from pathlib import Path
from perdure.ledger import spool
from perdure.ledger.spool import Post, write_post
def stop(path, data):
    path.write_bytes(data[:10])
    os.kill(os.getpid(), signal.SIGSTOP)
    path.unlink()
    write(path, data)
write, spool._write = spool._write, stop
fields = {"to": "/desk/counter", "message": {"$": "Add", "number": 7}}
print(write_post(Path(sys.argv[1]), Post("7" * 32, "ask", fields), 1), flush=True)
"""


def test_a_poster_that_is_stopped_in_the_middle_holds_nobody_up(tmp_path: Path) -> None:
    words, directory = at_desk(tmp_path)
    with going_on(*words, directory=directory):
        poster = child(POST_HALF, directory)
        os.waitpid(poster.pid, os.WUNTRACED)
        told = perdure("tell", directory, "/desk/counter", '{"$": "Add", "number": 3}', "--ask")
        assert told.stdout == "[3]\n"
        assert len(list((directory / "ingress").glob("*.new"))) == 1
        os.kill(poster.pid, signal.SIGCONT)
        path = ask(poster)
        assert outcome(directory, Posted("7" * 32, Path(path)), timeout=SECONDS) == [3, 7]
        end(poster)


def test_a_process_that_was_stopped_is_not_taken_for_a_handler_that_holds_the_kernel() -> None:
    class Late:
        """A sign of life that comes after a wait that took an hour: the process was stopped."""

        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            return self.waits > 1

    with Run(program(Child("quiet", Quiet)), store=MemoryStore(), seed=7) as run:
        dog = Watchdog(run.kernel, None, seconds_max=30.0)
        dog._alive = Late()  # type: ignore[assignment]
        assert dog.answers()


# --- forks

FORK = """
import os, sys
from perdure import Run
from perdure.errors import LedgerInUse
run = Run(sys.argv[1], sys.argv[2], seed=7)
with run:
    pid = os.fork()
    if not pid:
        refused = 0
        uses = (
            lambda: run.tell("/desk/counter", 1).get(timeout=5.0),
            lambda: run.ask("/desk/counter", 1, timeout=5.0),
            lambda: run.wait(5.0),
            lambda: run.kernel.book.store.head() and run.kernel.book.store.get(b"\\x01"),
        )
        for use in uses:
            try:
                use()
            except LedgerInUse as error:
                refused += str(os.getppid()) in str(error) or "forked" in str(error)
        run.__exit__(None, None, None)
        os._exit(refused)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    run.cancel("/desk/clerk")
    print(code, run.wait(20.0).status, flush=True)
"""


def test_in_a_forked_child_a_run_is_over_and_the_parent_goes_on(tmp_path: Path) -> None:
    words, directory = at_desk(tmp_path)
    process = child(FORK, words[1], directory)
    out, _ = process.communicate(timeout=SECONDS)
    assert (out, process.returncode) == ("4 finished\n", 0)
    assert perdure("verify", directory).exit_code == 0


# --- readers that do not end

READ_ON = """
import lmdb, sys
env = lmdb.open(sys.argv[1] + "/ledger", readonly=True, max_dbs=3, lib_version=0)
txn = env.begin()
print("reading", flush=True)
sys.stdin.read()
"""


class Quiet(Actor):
    count: int = 0

    async def on_receive(self, message: str) -> int:
        self.count += 1
        return self.count


def test_a_reader_that_hangs_holds_nobody_up_and_is_named(tmp_path: Path) -> None:
    events: list[Event] = []
    directory = tmp_path / "run"
    with Run(program(Child("quiet", Quiet)), directory, seed=7, observer=events.append) as run:
        reader = child(READ_ON, directory)
        assert ask(reader) == "reading"
        lingering = Lingering(run.kernel)
        counts = []
        for _ in range(3):
            counts.append(run.ask("/r/quiet", "on", timeout=SECONDS))
            lingering.look()
        settle(run)
        assert counts == [1, 2, 3]
        (said,) = [event for event in events if event.kind == "reader"]
        assert f"process {reader.pid} has been reading the ledger for " in said.reason
        end(reader)
        reader.wait(SECONDS)
        assert run.kernel.book.store.readers() == []


def test_the_file_grows_while_a_reader_hangs_and_no_more_when_it_has_ended(tmp_path: Path) -> None:
    store = open_store(tmp_path / "run", create=True)
    data = tmp_path / "run" / "ledger" / "data.mdb"

    def churn(groups: int) -> int:
        before = data.stat().st_size
        for _ in range(groups):
            rows = [(b"\x01%d" % n, os.urandom(500)) for n in range(40)]
            store.commit(group(store, puts=rows, time_ns=0))
        return data.stat().st_size - before

    churn(50)
    steady = churn(100)
    reader = child(READ_ON, tmp_path / "run")
    assert ask(reader) == "reading"
    grown = churn(100)
    (found,) = store.readers()
    assert (found.pid, found.behind) == (reader.pid, 100)
    end(reader)
    reader.wait(SECONDS)
    assert store.readers() == []
    assert steady < grown / 10
    assert churn(100) < grown / 10
    store.close()


def test_show_names_a_reader_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, directory = at_desk(tmp_path)
    assert perdure(*words, "--no-wait").exit_code == 4
    reader = child(READ_ON, directory)
    assert ask(reader) == "reading"
    monkeypatch.setattr("perdure.cli.show.READER_BEHIND_GROUPS", 1)
    assert perdure("cancel", directory, "/desk/spare").exit_code == 0
    assert f"process {reader.pid} reads since " in perdure("show", directory).stdout
    (found,) = answer("show", directory)["lingering_readers"]
    assert (found["pid"], found["behind"] >= 1) == (reader.pid, True)
    end(reader)
    assert READER_BEHIND_GROUPS > 1


# --- wall clocks


class Jumping(FakeClock):
    """A clock whose wall time is set, as people and NTP do."""

    off = 0.0

    def wall_ns(self) -> int:
        return super().wall_ns() + int(self.off * NS)


class Sleeper(Actor):
    woken: int = 0

    async def on_receive(self, message: str) -> None:
        if message == "sleep":
            self.send_after(HOUR, self.address, "wake")
        else:
            self.woken += 1


def sleeping(store: Any, clock: FakeClock) -> Run:
    return Run(program(Child("sleeper", Sleeper)), store=store, seed=7, clock=clock)


def woken(run: Run) -> int:
    count: int = run.get_state("/r/sleeper")["woken"]
    return count


def times(store: MemoryStore) -> list[int]:
    return [body.time for body in journal(store)]


@pytest.mark.parametrize("off", [-HOUR, -YEARS, YEARS], ids=["back", "far back", "ahead"])
def test_a_wall_clock_that_jumps_moves_no_timer_of_a_run_that_goes_on(off: float) -> None:
    store, clock = MemoryStore(), Jumping(jumps=False)
    with sleeping(store, clock) as run:
        run.tell("/r/sleeper", "sleep").get(timeout=SECONDS)
        settle(run)
        clock.off = off
        advance(run, HOUR - 1.0)
        assert woken(run) == 0
        advance(run, 1.0)
        settle(run)
        assert woken(run) == 1
    assert times(store) == sorted(times(store))


def test_a_run_that_is_resumed_with_the_clock_an_hour_back_goes_on_from_its_last_record() -> None:
    store = MemoryStore()
    with sleeping(store, Jumping(jumps=False)) as run:
        run.tell("/r/sleeper", "sleep").get(timeout=SECONDS)
        settle(run)
    after, late = store.reopened(), Jumping(jumps=True)
    late.off = -HOUR
    last = times(after)[-1]
    with Run.resume(
        None, store=after, clock=late, program=program(Child("sleeper", Sleeper))
    ) as run:
        run.wait(SECONDS)
    assert times(after) == sorted(times(after))
    assert times(after)[-1] >= last + int(HOUR * NS)  # the timer took its hour, and no more
    assert times(after)[-1] < last + int(1.5 * HOUR * NS)


def test_a_clock_that_was_far_ahead_has_timers_due_and_ledger_time_stays_there() -> None:
    store = MemoryStore()
    parts = program(Child("sleeper", Sleeper))
    with sleeping(store, Jumping(jumps=False)) as run:
        run.tell("/r/sleeper", "sleep").get(timeout=SECONDS)
        settle(run)
    ahead, clock = store.reopened(), Jumping(jumps=False)
    clock.off = YEARS
    with Run.resume(None, store=ahead, clock=clock, program=parts) as run:
        settle(run)
        assert woken(run) == 1
        run.tell("/r/sleeper", "sleep").get(timeout=SECONDS)
        settle(run)
    back, now = ahead.reopened(), Jumping(jumps=True)
    with Run.resume(None, store=back, clock=now, program=parts) as run:
        run.wait(SECONDS)
    assert times(back) == sorted(times(back))
    assert times(back)[-1] - times(ahead)[-1] < int(1.5 * HOUR * NS)
