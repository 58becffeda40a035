"""New code of supervisors: other flags, other children; who runs goes on, as in OTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure import FakeClock, Run
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.runtime.fork import fork_store
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.kit import SECONDS, of, settle
from tests.runtime.reloads import CODE, MIGRATED, SCENARIO, Store, look, put, second

TEAM = (
    CODE.replace("import Actor", "import Actor, Child, Supervisor")
    + """
class Team(Supervisor):
    intensity = 9

    def children(self) -> list[Child]:
        return [Child("a", Shelf), Child("b", Shelf)]
"""
)


@pytest.fixture
def shop(tmp_path: Path) -> Store:
    return Store(tmp_path / "shop")


def of_team(shop: Store) -> None:
    """Have the shelves be below a supervisor that is a class."""
    text = SCENARIO.replace('id = "other"\nactor = "Shelf"', 'id = "team"\nactor = "Team"')
    (shop.folder / "scenario.toml").write_text(text)
    shop.write(TEAM)


def supervision(shop: Store, address: str) -> Any:
    nodes = View(shop.store.reopened()).actors()
    return next(node.supervision for node in nodes if node.address == address)


def children(run: Run, address: str) -> dict[str, tuple[str, int]]:
    """The children as their supervisor has them, in order: status and incarnation."""

    def read() -> dict[str, tuple[str, int]]:
        kernel = run.kernel
        cell = kernel.book.cell_at(address)
        actor: Any = cell.actor or kernel.turns.load(cell)
        entries = actor._supervision().children
        return {id: (entry.status, entry.incarnation) for id, entry in entries.items()}

    settle(run)
    found: dict[str, tuple[str, int]] = run.kernel.ask_kernel(read)
    return found


def test_known_children_go_on_new_ones_are_not_started_and_missing_ones_are_last(
    shop: Store,
) -> None:
    of_team(shop)
    with shop.begun() as run:
        put(run, "tea", "/store/team/a")
        put(run, "milk", "/store/team/b")
        shop.write(second(TEAM).replace('Child("a", Shelf), ', 'Child("c", Shelf), '))
        assert run.reload().kept == {}
        assert children(run, "/store/team") == {
            "c": ("undefined", 0),
            "b": ("running", 1),
            "a": ("running", 1),
        }
        assert look(run, "/store/team/a")[:2] == [2, ["tea"]]
        assert look(run, "/store/team/b")[:2] == [2, ["milk"]]
    assert shop.replay().is_identical
    nodes = View(shop.store.reopened()).actors()
    assert all(node.restarts == 0 for node in nodes)


def test_flags_and_children_of_a_scenario_are_taken_from_its_file(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "tea")
        text = SCENARIO.replace("intensity = 9", "intensity = 4").replace("other", "third")
        (shop.folder / "scenario.toml").write_text(text)
        assert run.reload().kept == {}
        assert list(children(run, "/store").items()) == [
            ("shelf", ("running", 1)),
            ("third", ("undefined", 0)),
            ("other", ("running", 1)),
        ]
        assert look(run)[1] == ["tea"]
    assert supervision(shop, "/store").intensity == 4
    assert shop.replay().is_identical


def test_a_supervisor_whose_file_says_the_same_hears_nothing(shop: Store) -> None:
    with shop.begun() as run:
        shop.write(second())
        run.reload()
    (reload,) = of(shop.store, records.Reload)
    assert reload.sends == ()


@pytest.mark.parametrize(
    "wrong",
    [
        'strategy = "two_for_one"',
        "intensity = -1",
        'strategy = "simple_one_for_one"',
        "def children(self):\n        raise ValueError('no list today')\n    other = 1",
    ],
)
def test_bad_flags_and_specs_are_refused_and_the_old_are_kept(shop: Store, wrong: str) -> None:
    of_team(shop)
    with shop.begun() as run:
        shop.write(second(TEAM) + f"    {wrong}\n")
        kept = run.reload().kept
        assert list(kept) == ["/store/team"]
        assert look(run, "/store/team/a")[0] == 2
        assert children(run, "/store/team") == {"a": ("running", 1), "b": ("running", 1)}
    assert supervision(shop, "/store/team").intensity == 9
    assert shop.replay().is_identical


def test_specs_below_a_class_reach_the_supervisors_that_it_gives_them(shop: Store) -> None:
    of_team(shop)
    inner = 'Child("b", supervisor=SupervisorSpec(intensity=3, children=[Child("x", Shelf)]))'
    nested = TEAM.replace("Supervisor, field", "Supervisor, SupervisorSpec, field").replace(
        'Child("b", Shelf)', inner
    )
    shop.write(nested)
    with shop.begun() as run:
        put(run, "tea", "/store/team/b/x")
        shop.write(nested.replace("intensity=3", "intensity=7"))
        run.reload()
        assert children(run, "/store/team/b") == {"x": ("running", 1)}
        assert look(run, "/store/team/b/x")[1] == ["tea"]
    assert supervision(shop, "/store/team/b").intensity == 7
    assert shop.replay().is_identical


def test_a_fork_at_each_record_of_a_reload_goes_on_and_replays(shop: Store) -> None:
    """A process that dies at any record leaves just that: the records up to it."""
    with shop.begun() as run:
        put(run, "tea")
        shop.write(MIGRATED)
        text = SCENARIO.replace("intensity = 9", "intensity = 4")
        (shop.folder / "scenario.toml").write_text(text)
        run.reload()
        put(run, "milk")
    source = shop.store.reopened()
    for at in range(1, source.head().seq + 1):
        target = MemoryStore()
        fork_store(source, at, target, live=True)
        target = target.reopened()
        with Run.resume(None, store=target, clock=FakeClock(jumps=False)) as run:
            settle(run)
            code, things, _ = run.ask("/store/shelf", "look", timeout=SECONDS)
            lost = ["tea", "milk"][len(things) :]  # what was not sent yet, as of that record
            assert (code, [thing.lower() for thing in things] + lost) == (2, ["tea", "milk"]), at
        view = View(target.reopened())
        with Replay(view, Cast.recorded(view.run)) as replay:
            for _ in replay.scenes():
                pass
        assert replay.is_identical, (at, replay.diverged, replay.skipped)
        shop.store = target
        shop.check()
