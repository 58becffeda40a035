"""Large values seen from outside: as themselves, whatever rows and blobs they are made of."""

from __future__ import annotations

import pytest

from perdure import Actor, Child, field
from perdure.cli.recordform import Reader
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from perdure.runtime.view import View
from tests.kit import program, running


class Scribe(Actor, name="tests.view.scribe"):
    """Keeps what it hears, each line twice: once in a list, once in a text."""

    lines: list[str] = field(default_factory=list)
    text: str = ""

    async def on_receive(self, message: str) -> str:
        self.lines.append(message)
        self.text += message
        return self.text


@pytest.fixture
def scribe() -> MemoryStore:
    """A run in which everything is large: messages, states, answers."""
    store = MemoryStore()
    with running(program(Child("scribe", Scribe)), store) as run:
        for letter in "abc":
            run.ask("/r/scribe", letter * 10_000, timeout=60)
        for _ in range(300):
            run.ask("/r/scribe", "a short line", timeout=60)
    twin = store.reopened()
    assert twin.head().counts[Table.DELTA] > 0
    return twin


def test_a_state_is_read_from_its_snapshot_its_deltas_and_its_blobs(scribe: MemoryStore) -> None:
    state = View(scribe).state("/r/scribe")
    assert [len(line) for line in state["lines"]] == [10_000] * 3 + [12] * 300
    assert state["text"] == "".join(state["lines"])
    assert View(scribe).totals().turns == 303


def test_a_large_value_is_shown_and_not_its_reference(scribe: MemoryStore) -> None:
    reader = Reader(View(scribe))
    turns = [r for r in View(scribe).records() if isinstance(r.body, records.Turn) and r.body.delta]
    form = next(form for form in (reader.form(r, 0) for r in turns) if "answer" in form)
    assert form["answer"]["value"] == "a" * 10_000
    assert ["text", "=", "a" * 10_000] in form["delta"]
    posts = [r for r in View(scribe).records() if isinstance(r.body, records.Post)]
    sent = [each["message"] for r in posts for each in reader.sends(r.seq, r.body)]
    assert "c" * 10_000 in sent
