"""State from outside that an actor cannot have: it is refused, and the state stays."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, Reject, field
from perdure.ledger.memory import MemoryStore
from perdure.limits import BLOB_BYTES_MIN
from tests.kit import SECONDS, advance, on_kernel, program, resumed, running, settle, until
from tests.replaying import assert_identical


class Shelf(Actor, name="tests.replacing.shelf"):
    """Keeps pages, and the first letter of each where no ledger sees it."""

    pages: list[str] = field(default_factory=lambda: ["a"])
    count: int = 0
    limit: float | None = None

    def on_load(self) -> None:
        self._letters = [page[0] for page in self.pages]

    async def on_receive(self, message: Any) -> Any:
        match message:
            case ("ask", to):
                count = self.count
                await self.ask(to, "letters")
                self.pages.append(f"{count} {self.count}")
            case "crash":
                raise OSError("no line")
            case "letters":
                return list(self._letters)
        return None


def shelves(**options: Any) -> Any:
    return program(Child("a", Shelf, **options), Child("b", Shelf))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"count": "many"}, "count is int, and 'many' is none"),
        ({"pages": [1]}, r"pages is list\[str\], and \[1\] is none"),
        ({"pages": None}, r"pages is list\[str\]"),
        ({"nothing": 1}, "it has no field 'nothing'; it has count, limit, pages"),
        ({"count": 1, "pages": [""]}, "IndexError"),  # no letter: it could not be loaded
    ],
)
def test_what_does_not_fit_is_refused_and_the_state_stays(state: Any, said: str) -> None:
    store = MemoryStore()
    with running(shelves(), store) as run:
        before = run.get_state("/r/a")
        with pytest.raises(Reject, match=said):
            run.replace_state("/r/a", state, timeout=SECONDS)
        assert run.get_state("/r/a") == before
        assert run.ask("/r/a", "letters", timeout=SECONDS) == ["a"]
    assert_identical(shelves(), store)


def test_what_is_built_from_the_state_follows_it() -> None:
    store = MemoryStore()
    with running(shelves(), store) as run:
        run.replace_state("/r/a", {"pages": ["x", "y"], "limit": 2}, timeout=SECONDS)
        assert run.ask("/r/a", "letters", timeout=SECONDS) == ["x", "y"]
    assert_identical(shelves(), store)


def test_a_large_value_is_there_in_the_next_process() -> None:
    store = MemoryStore()
    page = "x" * (2 * BLOB_BYTES_MIN)
    with running(shelves(), store) as run:
        run.replace_state("/r/a", {"pages": [page]}, timeout=SECONDS)
    with resumed(shelves(), store := store.reopened()) as run:
        assert run.get_state("/r/a")["pages"] == [page]
    assert_identical(shelves(), store)


def test_an_actor_in_the_middle_of_a_turn_keeps_the_state_that_it_began_with() -> None:
    store = MemoryStore()
    with running(shelves(), store) as run:
        run.suspend("/r/b")
        run.tell("/r/a", ("ask", "/r/b")).get(timeout=SECONDS)
        settle(run)
        advance(run, 60.0)  # its turn is dropped: it is begun anew from its steps
        until(run, lambda: run.kernel.book.cell_at("/r/a").asleep is not None)
        with pytest.raises(Reject, match="in the middle of a turn"):
            run.replace_state("/r/a", {"count": 7}, timeout=SECONDS)
        run.unsuspend("/r/b")
        settle(run)
        assert run.get_state("/r/a")["pages"] == ["a", "0 0"]
        run.replace_state("/r/a", {"count": 7}, timeout=SECONDS)
    assert_identical(shelves(), store)


def test_one_that_its_crashes_have_stopped_is_repaired() -> None:
    store = MemoryStore()
    with running(shelves(breaker=1), store) as run:
        run.tell("/r/a", "crash").get(timeout=SECONDS)
        until(run, lambda: run.kernel.book.cell_at("/r/a").incarnation == 2)
        settle(run)
        assert on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").stalled)
        run.replace_state("/r/a", {"count": 7}, timeout=SECONDS)
        assert run.get_state("/r/a")["count"] == 7
    assert_identical(shelves(breaker=1), store)


def test_one_that_is_down_and_not_loaded_is_refused_state_and_keeps_its_own() -> None:
    store = MemoryStore()
    with running(shelves(), store) as run:
        run.replace_state("/r/a", {"count": 3}, timeout=SECONDS)
        run.suspend("/r")
        run.exit("/r/a", "broken")
        settle(run)
    with resumed(shelves(), store.reopened()) as run:
        with pytest.raises(Reject):
            run.replace_state("/r/a", {"count": 4}, timeout=SECONDS)
        run.unsuspend("/r")
        settle(run)
        assert run.get_state("/r/a")["count"] == 3
