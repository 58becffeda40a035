"""A scenario whose code is edited while it runs: a shelf that counts, and whoever fills it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perdure import FakeClock, Run
from perdure.actors.events import Event
from perdure.ledger.audit import audit_store
from perdure.ledger.memory import MemoryStore
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.kit import SECONDS
from tests.tables import assert_tables_follow

SCENARIO = """
format = 1
name = "store"
code = "actors.py"
[tree]
id = "store"
strategy = "one_for_one"
intensity = 9
[[tree.children]]
id = "shelf"
actor = "Shelf"
[[tree.children]]
id = "other"
actor = "Shelf"
"""

CODE = """
from perdure import Actor, field, message

@message
class Put:
    what: str

class Shelf(Actor):
    things: list[str] = field(default_factory=list)
    _seen = 0

    async def on_receive(self, message: Put | str) -> object:
        self._seen += 1
        if message == "look":
            return [1, list(self.things), self._seen]
        if message == "sleep":
            await self.sleep(3600)
            self.things.append("slept on 1")
        else:
            self.things.append(message.what)
        return 1
"""


def second(text: str = CODE) -> str:
    """The code with 2 for 1 wherever it tells which it is."""
    return (
        text.replace("[1, list", "[2, list")
        .replace("return 1", "return 2")
        .replace("slept on 1", "slept on 2")
    )


MIGRATED = (
    second(CODE).replace("class Shelf(Actor):", "class Shelf(Actor, version=2):")
    + """
    @classmethod
    def migrate(cls, state, version):
        if "bad" in state["things"]:
            raise ValueError("a bad thing")
        return {"things": [thing.upper() for thing in state["things"]]}
"""
)


class Store:
    """The folder of the scenario, its run in memory, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.events: list[Event] = []
        folder.mkdir(exist_ok=True)
        (folder / "scenario.toml").write_text(SCENARIO)
        self.write(CODE)

    def write(self, code: str) -> None:
        (self.folder / "actors.py").write_text(code)

    @contextmanager
    def begun(self, *, resume: bool = False, **options: Any) -> Iterator[Run]:
        """The run, begun or resumed; audited at its end."""
        options = {"clock": FakeClock(jumps=False), "observer": self.events.append, **options}
        if resume:
            self.store = self.store.reopened()
            run = Run.resume(None, store=self.store, **options)
        else:
            run = Run(self.folder, store=self.store, seed=1, **options)
        with run:
            yield run
        self.check()

    def check(self) -> None:
        """The ledger is whole, and its tables follow from its journal."""
        assert audit_store(self.store.reopened()) == []
        assert_tables_follow(self.store.reopened())

    def told(self, kind: str) -> list[str]:
        """What was told of a kind."""
        return [event.reason for event in self.events if event.kind == kind]

    def replay(self) -> Replay:
        """A replay with the code that is recorded, over."""
        view = View(self.store.reopened())
        with Replay(view, Cast.recorded(view.run)) as replay:
            for _ in replay.scenes():
                pass
        return replay


def put(run: Run, what: str, to: str = "/store/shelf") -> int:
    """Put a thing on a shelf; which code did."""
    message = run.program.names.get("Put")(what)
    found: int = run.ask(to, message, timeout=SECONDS)
    return found


def look(run: Run, at: str = "/store/shelf") -> list[Any]:
    """[which code, things, messages that the object has seen]."""
    found: list[Any] = run.ask(at, "look", timeout=SECONDS)
    return found
