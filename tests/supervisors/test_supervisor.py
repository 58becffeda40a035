"""Real actors under real supervisors: what a strategy does to who lives, end to end."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Supervisor, SupervisorSpec
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from tests.kit import SECONDS, Disk, advance, of, on_kernel, program, resumed, running, settle

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Worker(Actor, name="tests.supervisor.worker"):
    """Logs its starts and stops; ends as it is told."""

    async def on_start(self) -> None:
        LOG.append(f"+{self.address[3:]}")

    async def on_stop(self) -> None:
        LOG.append(f"-{self.address[3:]}")

    async def on_receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError("worker")
        if message in ("normal", "shutdown"):
            self.stop(message)
        return message


def worker(id: str, **options: Any) -> Child:
    return Child(id, Worker, redelivery="none", **options)


def supervisor(id: str, *children: Child, **options: Any) -> Child:
    return Child(id, supervisor=SupervisorSpec(children=children, **options))


def lived_through(strategy: str, *children: Child, told: dict[str, str], **options: Any) -> str:
    """The starts and stops after the tree was up and its children were told things."""
    with running(program(*children, strategy=strategy, **options)) as run:
        settle(run)
        LOG.clear()
        for address, message in told.items():
            run.tell(f"/r/{address}", message)
            settle(run)
        return " ".join(LOG)  # before the drain stops them all


@pytest.mark.parametrize(
    ("strategy", "after"),
    [
        ("one_for_one", "+b"),
        ("rest_for_one", "-d -c +b +c +d"),
        ("one_for_all", "-d -c -a +a +b +c +d"),
    ],
)
def test_each_strategy_restarts_whom_it_should_in_its_order(strategy: str, after: str) -> None:
    children = [worker(name) for name in "abcd"]
    assert lived_through(strategy, *children, told={"b": "crash"}) == after


@pytest.mark.parametrize(
    ("restart", "how", "is_restarted"),
    [
        ("permanent", "normal", True),
        ("permanent", "shutdown", True),
        ("permanent", "crash", True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("transient", "crash", True),
        ("temporary", "normal", False),
        ("temporary", "shutdown", False),
        ("temporary", "crash", False),
    ],
)
def test_whether_a_child_is_restarted_depends_on_how_it_ended(
    restart: str, how: str, is_restarted: bool
) -> None:
    seen = lived_through("one_for_one", worker("a", restart=restart), told={"a": how})
    stopped = "" if how == "crash" else "-a"
    assert seen.split() == [each for each in (stopped, "+a" if is_restarted else "") if each]


def test_more_restarts_than_the_intensity_allows_fail_the_run_and_the_ledger_says_why() -> None:
    store = MemoryStore()
    with running(program(worker("a"), worker("b"), intensity=2), store) as run:
        for _ in range(3):
            run.tell("/r/a", "crash")
        report = run.wait(SECONDS)
    assert report.status == "failed"
    assert report.reason == "the root ended: shutdown"
    notes = [note for turn in of(store, records.Turn) for note in turn.notes]
    assert notes.count("child_terminated: a: ValueError: worker") == 3
    assert notes[-1] == "shutdown: a: reached_max_restart_intensity"
    assert of(store, records.Status)[-1].status == "failed"
    assert LOG == ["+a", "+b", "+a", "+a", "-b"]


def test_restarts_that_lie_further_apart_than_the_period_are_forgotten() -> None:
    clock = FakeClock(jumps=False)
    with running(program(worker("a"), intensity=1, period=5.0), clock=clock) as run:
        for _ in range(4):
            run.tell("/r/a", "crash")
            assert run.ask("/r/a", "x", timeout=SECONDS) == "x"
            advance(run, 7.0)
    assert LOG == ["+a"] * 5 + ["-a"] * 0


def test_a_poison_message_costs_one_count_of_intensity_however_often_it_is_tried() -> None:
    store = MemoryStore()
    with running(program(Child("a", Worker, attempts_max=4), intensity=1), store) as run:
        run.tell("/r/a", "crash")
        settle(run)
        assert run.ask("/r/a", "x", timeout=SECONDS) == "x"
        run.tell("/r/a", "crash")
        assert run.wait(SECONDS).status == "failed"
    counted = [crash.counted for crash in of(store, records.Crash)]
    assert counted == [True, False, False, False, True]


def test_a_supervisor_that_gives_up_is_restarted_by_the_one_above() -> None:
    below = supervisor("s", worker("a"), worker("b"), intensity=1)
    with running(program(below, worker("c"))) as run:
        for _ in range(2):
            run.tell("/r/s/a", "crash")
        settle(run)
        assert run.ask("/r/s/b", "x", timeout=SECONDS) == "x"
        assert run.ask("/r/c", "x", timeout=SECONDS) == "x"
        incarnation = on_kernel(run, lambda: run.kernel.book.cell_at("/r/s").incarnation)
    assert incarnation == 2
    assert LOG == ["+s/a", "+s/b", "+c", "+s/a", "-s/b", "+s/a", "+s/b"]


def test_escalation_goes_up_level_by_level_to_the_root() -> None:
    deep = supervisor("s", supervisor("t", worker("a"), intensity=0), intensity=0)
    with running(program(deep, intensity=0)) as run:
        run.tell("/r/s/t/a", "crash")
        assert run.wait(SECONDS).status == "failed"


def test_a_strategy_stops_and_starts_whole_branches() -> None:
    branch = supervisor("s", worker("a"), supervisor("t", worker("b"), worker("c")))
    seen = lived_through("rest_for_one", worker("x"), branch, worker("y"), told={"x": "crash"})
    assert seen == "-y -s/t/c -s/t/b -s/a +x +s/a +s/t/b +s/t/c +y"


def test_a_significant_child_that_ends_can_end_its_supervisor() -> None:
    ending = supervisor(
        "s",
        worker("a", restart="transient", significant=True),
        worker("b"),
        auto_shutdown="any_significant",
    )
    with running(program(ending, worker("c"))) as run:
        settle(run)
        LOG.clear()
        run.tell("/r/s/a", "normal")
        settle(run)
        life = on_kernel(run, lambda: run.kernel.book.cell_at("/r/s").life)
    # a supervisor ends so with reason shutdown; it is permanent, so it is started again
    assert LOG == ["-s/a", "-s/b", "+s/a", "+s/b"]
    assert life == Life.RUNNING


def test_leaving_a_run_stops_nobody_it_is_only_interrupted() -> None:
    with running(program(worker("a"))) as run:
        settle(run)
    assert LOG == ["+a"]


def test_a_supervisor_asks_for_its_children_once_in_an_incarnation() -> None:
    class Pool(Supervisor, name="tests.supervisor.pool"):
        strategy = "one_for_all"
        intensity = 1
        size: int = 2

        def children(self) -> list[Child]:
            LOG.append("children")
            return [worker(f"w{n}") for n in range(self.size)]

    with running(program(Child("p", Pool, init={"size": 2}))) as run:
        run.tell("/r/p/w0", "crash")
        settle(run)
        assert LOG == ["children", "+p/w0", "+p/w1", "-p/w1", "+p/w0", "+p/w1"]
        run.tell("/r/p/w0", "crash")
        settle(run)
    assert LOG.count("children") == 2


def test_children_that_cannot_be_told_fail_the_start_of_their_supervisor() -> None:
    class Lost(Supervisor, name="tests.supervisor.lost"):
        def children(self) -> list[Child]:
            raise OSError("no list")

    with running(program(Child("p", Lost))) as run:
        report = run.wait(SECONDS)
    assert report.status == "failed"
    assert "no list" in report.reason


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_a_strategy_under_way_goes_on_after_any_commit_and_decides_nothing_twice(
    strategy: str,
) -> None:
    disk = Disk()
    branch = supervisor("s", worker("b"), worker("c"))
    tree = program(worker("x"), branch, worker("y"), strategy=strategy, intensity=3)
    with running(tree, disk) as run:
        for name in ("x", "y", "x"):
            run.tell(f"/r/{name}", "crash")
            settle(run)
        addresses = ["/r/s", "/r/s/b", "/r/s/c", "/r/x", "/r/y"]
        lives = [_life(run, address) for address in addresses]
    told = [m for m in disk.moments if sum(p.origin == "outside" for p in of(m, records.Post)) == 3]
    assert told
    for moment in told:
        with resumed(tree, moment) as run:
            settle(run)
            assert [_life(run, address) for address in addresses] == lives


def _life(run: Any, address: str) -> tuple[int, int]:
    def look() -> tuple[int, int]:
        cell = run.kernel.book.cell_at(address)
        return cell.life, cell.incarnation

    found: tuple[int, int] = on_kernel(run, look)
    return found
