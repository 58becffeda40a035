"""Forks: from every record of a run to the same end, held until live, the original untouched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, Run, SupervisorSpec, field, tool
from perdure.errors import LedgerDamaged, LedgerError, UsageError
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.memory import MemoryStore
from perdure.runtime.fork import Forked, fork, fork_store
from perdure.runtime.program import Program
from perdure.runtime.view import View
from tests.cli.verbs import COUNTER, SCENARIOS, process, shop
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
)
from tests.lived import lived
from tests.tables import assert_tables_follow

DONE: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


@tool("till.charge", effect="financial")
def charge(what: str) -> str:
    DONE.append(what)
    return f"charged {what}"


@tool("till.price", effect="read")
def price(what: str) -> int:
    DONE.append(f"price of {what}")
    return len(what)


@tool("till.note", effect="external", idempotent=True)
def note(what: str) -> str:
    DONE.append(f"note of {what}")
    return what


@tool("till.post", effect="external", idempotent=True)
def post(what: str, idempotency_key: str = "") -> str:
    DONE.append(idempotency_key)
    return what


class Poster(Actor, name="tests.fork.poster"):
    async def on_receive(self, message: str) -> None:
        await self.call(post, what=message)


class Till(Actor, name="tests.fork.till"):
    """Looks up the price, then charges; says what it has charged."""

    charged: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> list[str]:
        if message != "charged":
            await self.call(price, what=message)
            self.charged.append(await self.call(charge, what=message))
        return list(self.charged)


class Noter(Actor, name="tests.fork.noter"):
    async def on_receive(self, message: str) -> None:
        await self.call(note, what=message)


def forked(source: MemoryStore, at: int, **options: Any) -> tuple[MemoryStore, Forked]:
    """A fork in memory, audited."""
    target = MemoryStore()
    made = fork_store(source, at, target, **options)
    twin = target.reopened()
    assert audit_store(twin) == []
    assert_tables_follow(twin)
    return target.reopened(), made


def ended(path: Path) -> dict[str, bytes]:
    """The artifacts of a run, by path."""
    folder = path / "artifacts"
    files = (file for file in folder.rglob("*") if file.is_file()) if folder.exists() else ()
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


# --- from every record


def finished(scenario: str, path: Path, *settings: str, tree: Program | None = None) -> Any:
    with Run(tree or scenario, path, seed=3, settings=settings, clock=FakeClock()) as run:
        report = run.wait(SECONDS * 6)
    assert report.status == "finished"
    return report.result


def sample(path: Path) -> str:
    """A folder of two Python files, of which one cannot be read."""
    path.mkdir()
    (path / "good.py").write_text("x = 1\n")
    (path / "bad.py").write_text("# coding: nope\n")
    return str(path)


@pytest.mark.parametrize("name", ["counter", "transfers", "library_survey"])
def test_a_fork_at_each_record_comes_to_the_end_of_the_original(name: str, tmp_path: Path) -> None:
    settings = {
        "counter": [],
        "transfers": ["transfers=6", "accounts=2", "faults=0.3"],
        "library_survey": [f"folder={sample(tmp_path / 'sample')}", "readers=2"],
    }[name]
    scenario, whole = str(SCENARIOS / name), tmp_path / "whole"
    result = finished(scenario, whole, *settings)
    tree, published = Program.of(scenario, settings), ended(whole)
    with View(whole) as view:
        for at in range(1, view.head.seq + 1):
            path = tmp_path / f"fork-{at}"
            path.mkdir()
            store, _ = forked(view.store, at)  # type: ignore[arg-type]
            options: dict[str, Any] = {"store": store, "program": tree, "live": True}
            with Run.resume(path, clock=FakeClock(), **options) as run:
                report = run.wait(SECONDS * 6)
            assert (report.status, report.result) == ("finished", result), at
            assert ended(path) == published, at
            assert audit_store(store.reopened()) == []
            assert_tables_follow(store.reopened())
            shutil.rmtree(path, ignore_errors=True)


def test_a_run_with_some_of_everything_forks_at_each_record() -> None:
    source = lived().reopened()
    for at in range(1, source.head().seq + 1):
        store, made = forked(source, at)
        again = [raw.hash for raw in store.records(1, at)]
        assert again == [raw.hash for raw in source.records(1, at)]
        assert (made.at, made.parent) == (at, View(source).run.run_id)
        assert made.run_id != made.parent


def test_a_fork_of_a_fork_knows_whose_records_it_has() -> None:
    source = lived().reopened()
    first, one = forked(source, 20)
    second, two = forked(first, 21)
    _, three = forked(first, 10)
    assert two.parent == one.run_id
    assert three.parent == one.parent  # before the first fork, its records are of the original
    with resumed(mixed(), second) as run:
        ids = on_kernel(run, lambda: [run.kernel.book.pedigree.run_id_at(n) for n in (1, 20, 21)])
        assert ids == [one.parent, one.parent, one.run_id]
        now = on_kernel(run, lambda: run.kernel.book.pedigree.run_id_at(run.kernel.book.seq))
        assert now == two.run_id == View(second.reopened()).run.run_id


def mixed() -> Program:
    from tests.lived import Bad, Mixer

    parts = (Child("mixer", Mixer), Child("bad", Bad, backoff=Backoff(first=600.0, max=600.0)))
    return program(*parts)


# --- held


def test_a_held_fork_reads_and_has_no_effect_until_it_is_live() -> None:
    tree, disk = program(Child("till", Till)), Disk()
    with running(tree, disk) as run:
        settle(run)
    before, _ = forked(disk.reopened(), disk.reopened().head().seq)
    with resumed(tree, before) as run:
        run.tell("/r/till", "tea").get(timeout=SECONDS)
        report = run.wait(SECONDS)  # it does not hang
        assert (report.status, DONE) == ("waiting", ["price of tea"])
        assert report.reason == "held: a fork; `perdure resume FORK --live` lets it act"
    assert "(financial) is held" in of(before, records.Stall)[0].reason
    again = before.reopened()
    with resumed(tree, again, live=True) as run:
        assert run.ask("/r/till", "charged", timeout=SECONDS) == ["charged tea"]
    assert DONE == ["price of tea", "tea"]  # the price was journaled
    assert len(of(again, records.Live)) == 1


def test_a_step_in_doubt_stays_in_doubt_in_a_fork_under_the_key_of_the_original() -> None:
    tree, disk = program(Child("till", Till)), Disk()
    with running(tree, disk) as run:
        run.ask("/r/till", "tea", timeout=SECONDS)
    intent = next(
        seq
        for seq, raw in enumerate(disk.reopened().records(), 1)
        if raw.kind == records.Kind.INTENT
    )
    DONE.clear()
    for live in (False, True):
        store, made = forked(disk.reopened(), intent, live=live)
        with resumed(tree, store) as run:
            settle(run)
            run_id = on_kernel(run, lambda: run.kernel.book.pedigree.run_id_at(intent))
            assert run_id == made.parent
        stalls = [stall.reason for stall in of(store, records.Stall)]
        assert any("is in doubt" in reason for reason in stalls)
    assert DONE == []


def test_a_call_in_doubt_is_redone_under_the_key_of_the_run_that_intended_it() -> None:
    tree, disk = program(Child("poster", Poster)), Disk()
    with running(tree, disk) as run:
        run.tell("/r/poster", "x").get(timeout=SECONDS)
        settle(run)
    kinds = [raw.kind for raw in disk.reopened().records()]
    intent = kinds.index(records.Kind.INTENT) + 1
    for at in (intent - 1, intent):
        store, _ = forked(disk.reopened(), at, live=True)
        with resumed(tree, store) as run:
            settle(run)
    original, before, after = DONE
    assert original == after  # its intent is the original's
    assert original != before  # the fork has intended that call itself


def test_a_held_fork_does_not_redo_an_idempotent_call_either() -> None:
    tree, disk = program(Child("noter", Noter)), Disk()
    with running(tree, disk) as run:
        run.tell("/r/noter", "x").get(timeout=SECONDS)
        settle(run)
    kinds = [raw.kind for raw in disk.reopened().records()]
    intent = kinds.index(records.Kind.INTENT) + 1
    DONE.clear()
    store, _ = forked(disk.reopened(), intent)
    with resumed(tree, store) as run:
        assert run.wait(SECONDS).status == "waiting"
    assert DONE == []
    with resumed(tree, store.reopened(), live=True) as run:
        settle(run)
    assert DONE == ["note of x"]


def test_only_a_fork_is_made_live() -> None:
    with pytest.raises(UsageError, match="this run is none"):
        Run.resume(None, store=lived().reopened(), program=mixed(), live=True)


# --- the original


def test_the_original_is_only_read_while_it_goes_on(tmp_path: Path) -> None:
    gate = Gate()

    class Slow(Actor, name="tests.fork.slow"):
        seen: int = 0

        async def on_receive(self, message: str) -> int:
            self.seen += 1
            if message == "wait":
                await gate.passed()
            return self.seen

    tree, path = program(Child("a", Slow)), tmp_path / "run"
    with Run(tree, path, seed=1, clock=FakeClock()) as run:
        run.ask("/r/a", "go", timeout=SECONDS)
        run.tell("/r/a", "wait").get(timeout=SECONDS)
        gate.reached()
        before = (path / "ledger" / "data.mdb").read_bytes()
        forking = process("fork", path, "--at", "9", "--to", tmp_path / "fork", "--json")
        out, errors = forking.communicate(timeout=60)
        assert forking.returncode == 0, errors
        assert (path / "ledger" / "data.mdb").read_bytes() == before
        gate.open()
        settle(run)
    with View(path) as view, View(tmp_path / "fork") as other:
        whole = [raw.hash for raw in view.store.records(1, 9)]
        assert [raw.hash for raw in other.store.records(1, 9)] == whole
        assert other.run.run_id.hex() == json.loads(out)["run_id"] != view.run.run_id.hex()


def test_a_fork_needs_nothing_of_the_original(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    fork(tmp_path / "run", "6", tmp_path / "fork")
    shutil.rmtree(tmp_path / "run")
    with Run.resume(tmp_path / "fork", clock=FakeClock()) as run:
        assert run.wait(SECONDS).result == {"total": 42}


# --- refusals


@pytest.mark.parametrize(
    ("at", "text"),
    [("0", "no record 0"), ("999", "records 1 to"), ("nowhere", "there is no mark 'nowhere'")],
)
def test_a_point_that_is_not_there_is_refused(at: str, text: str, tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    with pytest.raises(UsageError, match=text):
        fork(tmp_path / "run", at, tmp_path / "fork")
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_a_directory_that_exists_is_refused(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    (tmp_path / "fork").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        fork(tmp_path / "run", 3, tmp_path / "fork")


def test_a_damaged_run_is_not_forked_past_the_damage(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    data = tmp_path / "run" / "ledger" / "data.mdb"
    raw = data.read_bytes()
    assert b"Add up three numbers." in raw
    data.write_bytes(raw.replace(b"Add up three numbers.", b"Add up three numbarz."))
    with pytest.raises(LedgerDamaged) as caught:
        fork(tmp_path / "run", 6, tmp_path / "fork")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "fork").exists()


def test_a_fork_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    (tmp_path / "file").touch()
    with pytest.raises((LedgerError, UsageError, OSError)):
        fork(tmp_path / "run", 6, tmp_path / "file" / "fork")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "run"]


# --- settings and code


def turns_of(path: Path, address: str) -> list[int]:
    """The records of an actor's turns that changed its state."""
    with View(path) as view:
        id = view.find(address)
        bodies: list[tuple[int, Any]] = [(record.seq, record.body) for record in view.records()]
    return [n for n, body in bodies if getattr(body, "delta", ()) and body.actor == id]


def test_settings_reach_who_has_no_state_yet_and_no_one_else(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    first = turns_of(tmp_path / "run", "/counter/sum")[0]
    for at in range(1, first + 3):
        path = tmp_path / f"fork-{at}"
        fork(tmp_path / "run", at, path, settings=["start=100"])
        with Run.resume(path, clock=FakeClock()) as run:
            total = run.wait(SECONDS).result
        assert total == {"total": 142 if at < first else 42}, at
        with View(path) as view:
            assert view.run.settings == {"start": 100}
            assert audit_store(view.store) == []
            assert_tables_follow(view.store)


def test_a_setting_that_is_none_is_refused(tmp_path: Path) -> None:
    finished(COUNTER, tmp_path / "run")
    with pytest.raises(UsageError, match="there is no setting 'star'"):
        fork(tmp_path / "run", 6, tmp_path / "fork", settings=["star=1"])


@pytest.mark.parametrize("of_file", [True, False])
def test_a_fork_goes_on_with_other_code(of_file: bool, tmp_path: Path) -> None:
    other = shutil.copytree(COUNTER, tmp_path / "other")
    code = other / "actors.py"
    code.write_text(code.read_text().replace("+= number", "+= 2 * number"))
    finished(COUNTER, tmp_path / "run")
    first = turns_of(tmp_path / "run", "/counter/sum")[1]
    fork(tmp_path / "run", first, tmp_path / "fork", code=code if of_file else other)
    fork(tmp_path / "fork", first + 1, tmp_path / "again")  # code is inherited
    for path in (tmp_path / "fork", tmp_path / "again"):
        with Run.resume(path, clock=FakeClock()) as run:
            assert not run.code_changed
            assert run.wait(SECONDS).result == {"total": 2 + 15 * 2 + 25 * 2}


def test_a_supervisor_starts_children_from_the_new_settings(tmp_path: Path) -> None:
    folder = shop(tmp_path / "shop", "later")
    toml = folder / "scenario.toml"
    toml.write_text(toml.read_text().rpartition("[[tell]]")[0])
    with Run(folder, tmp_path / "run", seed=1, clock=FakeClock(jumps=False)) as run:
        run.wait(SECONDS, stay=False)
    with View(tmp_path / "run") as view:
        head = view.head.seq
    fork(tmp_path / "run", head, tmp_path / "fork", settings=["price=5"])
    with View(tmp_path / "fork") as view:
        assert view.state("/shop/till")["price"] == 3  # it has a state
        spec = view.state("/shop")["spec"]
        assert spec["children"][0]["init"] == {"price": 5}
        assert audit_store(view.store) == []
        assert_tables_follow(view.store)


def test_supervisors_below_get_their_new_specs_too() -> None:
    spec = SupervisorSpec(children=[Child("b", Till)])
    tree, disk = program(Child("s", supervisor=spec)), Disk()
    with running(tree, disk) as run:
        settle(run)
    from perdure.runtime.changes import Change

    more = SupervisorSpec(children=[Child("c", Till)], intensity=7)
    change = Change({}, None, b"", program(Child("s", supervisor=more)))
    store, _ = forked(disk.reopened(), disk.reopened().head().seq, change=change)
    said = View(store).state("/r/s")["spec"]
    assert said["intensity"] == 7
    assert [each["id"] for each in said["children"]] == ["c", "b"]  # what it has, it keeps
