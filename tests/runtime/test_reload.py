"""Code that is loaded again while a run goes on: who has it, who keeps the old, what is lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from perdure import Run
from perdure.errors import ScenarioError, UnknownActor, UsageError
from perdure.ledger import records
from perdure.runtime.oldcode import read_code
from perdure.runtime.view import View
from tests.kit import SECONDS, advance, of, on_kernel, program, running, settle, until
from tests.runtime.reloads import CODE, MIGRATED, SCENARIO, Store, look, put, second


@pytest.fixture
def shop(tmp_path: Path) -> Store:
    return Store(tmp_path / "shop")


# --- the whole run


def test_the_next_message_is_handled_by_the_new_code_and_nobody_was_restarted(shop: Store) -> None:
    with shop.begun(durability="each") as run:
        assert put(run, "tea") == 1
        ids = [
            on_kernel(run, run.kernel.book.find, f"/store/{name}") for name in ("shelf", "other")
        ]
        shop.write(second())
        done = run.reload()
        assert put(run, "milk") == 2
        assert look(run) == [2, ["tea", "milk"], 2]
        assert ids == [
            on_kernel(run, run.kernel.book.find, f"/store/{name}") for name in ("shelf", "other")
        ]
        assert done.versions == (("Shelf", 1, 1),)
        assert (done.changed, done.migrated, done.kept, done.gone) == (3, 0, {}, [])
        assert done.is_stored
    nodes = View(shop.store.reopened()).actors()
    assert [(node.incarnation, node.restarts, node.crashes) for node in nodes] == [(1, 0, 0)] * 3
    assert [body.code_hash.hex() for body in of(shop.store, records.Reload)] == [done.code]
    assert read_code(shop.store.reopened()).durability == "each"  # a reload is no other process


def test_no_message_is_lost_over_twenty_reloads_under_load(shop: Store) -> None:
    stop, sent = threading.Event(), []

    def produce(run: Run) -> None:
        while not stop.is_set():
            message = run.program.names.get("Put")(str(len(sent)))
            run.tell("/store/shelf", message).get(timeout=SECONDS)
            sent.append(message.what)

    with shop.begun() as run:
        producer = threading.Thread(target=produce, args=(run,))
        producer.start()
        for number in range(20):
            before = len(sent)
            until(run, lambda before=before: len(sent) > before)
            shop.write(second() if number % 2 else CODE)
            run.reload()
        stop.set()
        producer.join(SECONDS)
        settle(run)
        assert look(run)[1] == sent
    assert len(of(shop.store, records.Reload)) == 20
    assert not of(shop.store, records.Crash)
    assert View(shop.store.reopened()).dead_letter_count == 0


def test_code_that_does_not_load_is_refused_with_its_line_and_the_old_goes_on(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "tea")
        for text, why in (
            (CODE + "def broken(:\n", r"actors\.py:\d+: the code does not load: SyntaxError"),
            (
                CODE + "class Bad(Actor):\n    x: list[int] = []\n",
                r"actors\.py:\d+: the code does not load",
            ),
            (CODE.replace("Shelf", "Board"), "there is no actor class 'Shelf'"),
        ):
            shop.write(text)
            with pytest.raises(ScenarioError, match=why):
                run.reload()
            assert look(run)[:2] == [1, ["tea"]]
    assert not of(shop.store, records.Reload)
    assert len(shop.told("refused")) == 3


def test_a_refused_reload_leaves_the_modules_beside_the_code_as_they_were(shop: Store) -> None:
    (shop.folder / "words.py").write_text("WORD = 'old'\n")
    late = CODE.replace("return 1\n", "from words import WORD\n        return WORD\n")
    shop.write("import words\n" + late)
    with shop.begun() as run:
        (shop.folder / "words.py").write_text("WORD = 'new'\n")
        shop.write("import words\n" + late + "\n1 / 0\n")
        with pytest.raises(ScenarioError, match="ZeroDivisionError"):
            run.reload()
        assert put(run, "tea") == "old"


def test_a_run_from_python_and_an_address_that_nobody_has_are_refused(shop: Store) -> None:
    with shop.begun() as run, pytest.raises(UnknownActor):
        run.reload("/store/nobody")
    assert not of(shop.store, records.Reload)
    with running(program()) as run, pytest.raises(UsageError, match="started from Python"):
        run.reload()


def test_with_addresses_only_they_and_those_below_change(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "tea")
        put(run, "milk", "/store/other")
        shop.write(second())
        assert run.reload("/store/shelf").changed == 1
        assert (look(run)[0], look(run, "/store/other")[0]) == (2, 1)
        run.reload("/store")
        assert (look(run)[0], look(run, "/store/other")[0]) == (2, 2)
    assert shop.replay().is_identical
    shop.write(CODE)
    with shop.begun(resume=True) as run:  # a process has one code: what the folder has
        assert (look(run)[0], look(run, "/store/other")[0]) == (1, 1)
    assert shop.replay().is_identical


# --- state


def test_state_is_migrated_at_once_and_is_durable_with_the_next_turn(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "tea")
        shop.write(MIGRATED)
        done = run.reload()
        assert (done.migrated, done.versions) == (2, (("Shelf", 1, 2),))
        assert look(run)[:2] == [2, ["TEA"]]
    assert View(shop.store.reopened()).state("/store/shelf") == {"things": ["TEA"]}


def test_who_cannot_be_migrated_goes_on_with_the_old_code_and_everybody_else_with_the_new(
    shop: Store,
) -> None:
    with shop.begun() as run:
        put(run, "bad")
        put(run, "good", "/store/other")
        shop.write(MIGRATED)
        done = run.reload()
        assert done.kept == {"/store/shelf": "ValueError: a bad thing"}
        assert look(run) == [1, ["bad"], 2]  # the very object
        assert put(run, "more") == 1
        assert look(run, "/store/other")[:2] == [2, ["GOOD"]]
    assert shop.told("kept") == ["ValueError: a bad thing"]
    nodes = {node.address: node for node in View(shop.store.reopened()).actors()}
    assert nodes["/store/shelf"].old_code == "ValueError: a bad thing"
    assert nodes["/store/other"].old_code == ""
    assert shop.replay().is_identical


def test_what_waits_for_who_cannot_be_migrated_is_handled_by_the_old_code(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "bad")
        run.suspend("/store/shelf")
        run.tell("/store/shelf", run.program.names.get("Put")("waits")).get(timeout=SECONDS)
        shop.write(MIGRATED)
        assert list(run.reload().kept) == ["/store/shelf"]
        run.unsuspend("/store/shelf")
        assert look(run)[:2] == [1, ["bad", "waits"]]
    assert shop.replay().is_identical


def test_who_kept_the_old_code_is_tried_again_by_the_next_reload(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "bad")
        shop.write(MIGRATED)
        assert run.reload().kept
        shop.write(MIGRATED.replace('"bad" in', '"worse" in'))
        assert run.reload().kept == {}
        assert look(run)[:2] == [2, ["BAD"]]
    assert not any(node.old_code for node in View(shop.store.reopened()).actors())
    assert shop.replay().is_identical


def test_who_is_not_loaded_is_migrated_later_and_falls_back_then(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "bad")
        put(run, "good", "/store/other")
        settle(run)

        def unload() -> None:
            book = run.kernel.book
            book.unload([book.cell_at("/store/shelf"), book.cell_at("/store/other")])

        on_kernel(run, unload)
        shop.write(MIGRATED)
        assert run.reload().kept == {}
        assert look(run)[:2] == [1, ["bad"]]
        assert look(run, "/store/other")[:2] == [2, ["GOOD"]]
    (keep,) = of(shop.store, records.Keep)
    assert keep.reason == "ValueError: a bad thing"
    assert shop.replay().is_identical


def test_a_class_that_is_gone_keeps_its_actors_on_the_code_they_had(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "tea")
        (shop.folder / "scenario.toml").write_text(SCENARIO.replace('"Shelf"', '"Board"'))
        shop.write(second(CODE).replace("Shelf", "Board"))
        done = run.reload()
        assert done.gone == ["Shelf"]
        assert look(run)[:2] == [1, ["tea"]]
    assert any("no Shelf" in text for text in shop.told("kept"))
    assert all(
        node.old_code for node in View(shop.store.reopened()).actors() if node.class_name == "Shelf"
    )
    assert shop.replay().is_identical


def test_messages_that_wait_are_upgraded_to_the_class_of_the_new_code(shop: Store) -> None:
    newer = (
        second(CODE)
        .replace(
            "@message\nclass Put:\n    what: str\n",
            "@message(version=2)\nclass Put:\n    what: str\n    size: int\n\n"
            "    @classmethod\n    def upgrade(cls, fields, version):\n"
            "        return {**fields, 'size': len(fields['what'])}\n",
        )
        .replace("message.what)", "f'{message.what} of {message.size}')")
    )
    with shop.begun() as run:
        run.tell("/store/shelf", "sleep").get(timeout=SECONDS)
        run.tell("/store/shelf", run.program.names.get("Put")("tea")).get(timeout=SECONDS)
        shop.write(newer)
        assert run.reload().under_way == 1
        advance(run, 3_600)
        settle(run)
        assert look(run)[:2] == [2, ["slept on 1", "tea of 3"]]
    assert shop.replay().is_identical


# --- turns under way


def test_a_turn_that_waits_ends_on_the_code_that_it_began_with(shop: Store) -> None:
    with shop.begun() as run:
        run.tell("/store/shelf", "sleep").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        shop.write(second())
        assert run.reload().under_way == 1
        advance(run, 3_600)
        settle(run)
        assert look(run)[:2] == [2, ["slept on 1"]]
    assert shop.replay().is_identical


def test_a_turn_that_is_suspended_ends_on_the_code_that_it_began_with(shop: Store) -> None:
    with shop.begun() as run:
        run.tell("/store/shelf", "sleep").get(timeout=SECONDS)
        until(run, lambda: run.kernel.waits.open)
        advance(run, 60)
        until(run, lambda: run.kernel.waits.suspension.asleep)
        shop.write(second())
        assert run.reload().under_way == 1
        advance(run, 3_600)
        settle(run)
        assert look(run)[:2] == [2, ["slept on 1"]]
    assert shop.replay().is_identical


def test_a_stalled_actor_that_new_code_mends_goes_on(shop: Store) -> None:
    with shop.begun() as run:
        put(run, "tea")
        shop.write(second() + "\n@message\nclass More:\n    what: str\n")
        run.reload("/store/other")
        more = run.program.names.get("More")("milk")
        run.tell("/store/shelf", more).get(timeout=SECONDS)
        settle(run)
        assert on_kernel(run, lambda: "More" in run.kernel.book.cell_at("/store/shelf").stalled)
        run.reload()
        settle(run)
        assert look(run)[:2] == [2, ["tea", "milk"]]


# --- the ledger


def test_a_run_that_is_killed_at_any_instant_of_a_reload_loses_nothing(shop: Store) -> None:
    from tests.kit import Disk

    disk = shop.store = Disk()
    with shop.begun() as run:
        put(run, "tea")
        shop.write(MIGRATED)
        run.reload()
        put(run, "milk")
    whole = disk
    for moment in [each for each in whole.moments if each.head().seq]:
        shop.store = moment
        with shop.begun(resume=True) as run:
            settle(run)
            code, things, _ = look(run)
            assert (code, things) in ((2, []), (2, ["TEA"]), (2, ["TEA", "milk"]))
        assert shop.replay().is_identical


def test_a_replay_runs_each_turn_with_the_code_that_ran_it(shop: Store) -> None:
    with shop.begun() as run:
        assert put(run, "tea") == 1
        shop.write(second())
        run.reload()
        assert put(run, "milk") == 2
        shop.write(second().replace("return 2", "return 3"))
        run.reload()
        assert put(run, "salt") == 3
    shop.write("raise SystemError\n")  # what is there today has no part in it
    replay = shop.replay()
    assert replay.is_identical, replay.diverged
    assert replay.turns == 5  # two of them are starts
    assert len(replay.codes()) == 2


def test_code_that_the_ledger_does_not_have_is_named_and_its_turns_are_counted(
    shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.runtime.sources.CODE_BYTES_MAX", 10)
    with shop.begun() as run:
        put(run, "tea")
        shop.write(second())
        assert not run.reload().is_stored
        put(run, "milk")
    replay = shop.replay()
    assert not replay.is_identical
    ((reason, count),) = replay.skipped.items()
    assert "is not at hand" in reason
    assert "--code DIR" in reason
    assert count == 3  # two starts and the tea
