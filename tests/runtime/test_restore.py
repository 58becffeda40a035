"""Restoring from outside: an actor and all below it go back to a mark, and the run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure import Run
from perdure.errors import UnknownActor, UsageError
from perdure.ledger.audit import audit_store
from perdure.ledger.records import Restore
from perdure.runtime.restore import Restored, restore
from perdure.runtime.view import View
from tests.kit import SECONDS, settle
from tests.tables import assert_tables_follow

ACTORS = """
from perdure import Actor, field, message

@message
class Note:
    text: str

class Keeper(Actor):
    notes: list[str] = field(default_factory=list)

    async def on_receive(self, message: Note) -> list[str]:
        if message.text == "mark":
            self.mark("good")
        elif message.text == "spawn":
            self.spawn(Keeper, "child")
        elif message.text != "show":
            self.notes.append(message.text)
        return list(self.notes)
"""

SCENARIO = """
format = 1
name = "desk"
code = "actors.py"
[tree]
id = "desk"
strategy = "one_for_one"
[[tree.children]]
id = "pair"
strategy = "one_for_all"
[[tree.children.children]]
id = "${i}"
count = 2
actor = "Keeper"
[[tree.children]]
id = "other"
actor = "Keeper"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A run that stopped: everybody noted something before the mark of pair/1, and after it."""
    folder, path = tmp_path / "desk", tmp_path / "run"
    folder.mkdir()
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "actors.py").write_text(ACTORS)
    with Run(folder, path, seed=1) as run:
        for to, text in [
            ("pair/1", "before"), ("pair/2", "before"), ("other", "before"), ("pair/1", "mark"),
            ("pair/1", "after"), ("pair/2", "after"), ("pair/2", "later"), ("other", "after"),
            ("pair/2", "spawn"), ("pair/2/child", "born late"),
        ]:  # fmt: skip
            message = run.kernel.book.codec.from_json({"$": "Note", "text": text})
            run.ask(f"/desk/{to}", message, timeout=SECONDS)
        settle(run)
    return path


def notes(path: Path) -> dict[str, object]:
    with View(path) as view:
        names = ("pair/1", "pair/2", "other", "pair/2/child")
        found = {name: view.state(f"/desk/{name}").get("notes") for name in names}
        assert audit_store(view.store) == []
        assert_tables_follow(view.store)
    return found


def test_an_actor_alone_goes_back_to_its_mark(desk: Path) -> None:
    found = restore(desk, "/desk/pair/1", "good")
    assert [each[::2] for each in found] == [("/desk/pair/1", 1)]
    assert notes(desk) == {
        "pair/1": ["before"],
        "pair/2": ["before", "after", "later"],
        "other": ["before", "after"],
        "pair/2/child": ["born late"],
    }


def test_all_below_a_supervisor_go_back_and_who_was_born_later_starts_over(desk: Path) -> None:
    found = restore(desk, "/desk/pair", "good")
    undone = {each.address: each.undone for each in found}
    assert undone == {"/desk/pair/1": 1, "/desk/pair/2": 2, "/desk/pair/2/child": 1}
    assert Restored("/desk/pair/2/child", 0, 1) in found
    assert notes(desk) == {
        "pair/1": ["before"],
        "pair/2": ["before"],
        "other": ["before", "after"],
        "pair/2/child": None,
    }
    with Run.resume(desk) as run:
        message = run.kernel.book.codec.from_json({"$": "Note", "text": "again"})
        assert run.ask("/desk/pair/2", message, timeout=SECONDS) == ["before", "again"]
        assert run.ask("/desk/pair/2/child", message, timeout=SECONDS) == ["again"]
    assert notes(desk)["pair/2"] == ["before", "again"]


def test_who_has_not_changed_since_is_left_alone(desk: Path) -> None:
    restore(desk, "/desk/pair", "good")
    assert restore(desk, "/desk/pair", "good") == []
    with View(desk) as view:
        assert sum(isinstance(record.body, Restore) for record in view.records()) == 3


def test_of_a_run_that_is_over_address_and_mark_are_looked_at_first(desk: Path) -> None:
    with Run.resume(desk) as run:
        run.kernel.on_kernel(run.kernel.ending.begin, "finished", "")
        assert run.kernel.ended.wait(SECONDS)
    with pytest.raises(UnknownActor):
        restore(desk, "/desk/nobody", "good")
    with pytest.raises(UsageError, match="neither /desk/pair nor the run has a mark 'bad'"):
        restore(desk, "/desk/pair", "bad")
    with pytest.raises(UsageError, match=r"the run is finished: .* `perdure fork RUN --at good"):
        restore(desk, "/desk/pair", "good")


def test_a_mark_or_an_actor_that_there_is_not_is_refused(desk: Path) -> None:
    before = notes(desk)
    with pytest.raises(UsageError, match="neither /desk/pair nor the run has a mark 'bad'"):
        restore(desk, "/desk/pair", "bad")
    with pytest.raises(UnknownActor):
        restore(desk, "/desk/nobody", "good")
    assert notes(desk) == before
