"""`self.spawn`: children below their parent, met again by retries, gone with their parent."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Backoff, Child, Ref, field
from perdure.errors import Crashed
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.ledger.values import Codec
from tests.kit import SECONDS, Disk, dead_letters, of, program, resumed, running, settle

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


class Kid(Actor, name="tests.spawning.kid"):
    """Counts; crashes on "crash"."""

    start_at: int = 0
    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "crash":
            raise ValueError("kid")
        if message == "stop":
            self.stop()
            return None
        self.got.append(message)
        return [self.address, self.start_at, len(self.got)]


class Starting(Kid, name="tests.spawning.starting"):
    """Logs its starts."""

    async def on_start(self) -> None:
        LOG.append(f"{self.address} start")

    async def on_stop(self) -> None:
        LOG.append(f"{self.address} stop")


class Parent(Actor, name="tests.spawning.parent"):
    """Spawns what its message says: (name, class, init, options)."""

    crash: int = 0

    async def on_receive(self, message: Any) -> Any:
        if message == "stop":
            self.stop()
            return None
        if message == "crash":
            raise ValueError("parent")
        name, cls, init, options = message
        kid = self.spawn(cls, name, init=init, **options)
        answer = await self.ask(kid, "hello")
        if self.attempt <= self.crash:
            raise ValueError("parent")
        return [kid, answer]


def spawn(name: str, cls: str = "tests.spawning.kid", init: Any = None, **options: Any) -> Any:
    return (name, cls, init or {}, options)


def test_a_child_lives_below_its_parent_and_gets_its_init() -> None:
    with running(program(Child("a", Parent))) as run:
        answer = run.ask("/r/a", spawn("kid", init={"start_at": 7}), timeout=SECONDS)
        assert answer == [Ref("/r/a/kid"), ["/r/a/kid", 7, 1]]
        assert run.ask("/r/a/kid", "again", timeout=SECONDS) == ["/r/a/kid", 7, 2]


def test_a_retry_meets_the_same_child() -> None:
    store = MemoryStore()
    with running(program(Child("a", Parent, init={"crash": 2})), store) as run:
        answer = run.ask("/r/a", spawn("kid", "tests.spawning.starting"), timeout=SECONDS)
        assert answer == [Ref("/r/a/kid"), ["/r/a/kid", 0, 1]]
    assert LOG == ["/r/a/kid start"]
    assert [birth.address for birth in of(store, records.Birth)].count("/r/a/kid") == 1


def test_children_of_a_message_that_became_a_dead_letter_are_gone() -> None:
    store = MemoryStore()
    with running(program(Child("a", Parent, init={"crash": 9})), store) as run:
        with pytest.raises(Crashed, match="ValueError: parent"):
            run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        with pytest.raises(Crashed, match="no such actor"):
            run.ask("/r/a/kid", "x", timeout=SECONDS)


def test_children_outlive_the_crash_of_their_parent() -> None:
    with running(program(Child("a", Parent, redelivery="none"))) as run:
        run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        run.tell("/r/a", "crash")
        settle(run)
        assert run.ask("/r/a/kid", "x", timeout=SECONDS)[2] == 2


def test_children_end_with_their_parent_and_their_children_too() -> None:
    class Founder(Actor, name="tests.spawning.founder"):
        async def on_receive(self, message: str) -> None:
            if message == "end":
                self.stop()
            elif message:
                child = self.spawn(Founder, message[0])
                await self.ask(child, message[1:])

    with running(program(Child("a", Founder, restart="temporary"))) as run:
        run.ask("/r/a", "xyz", timeout=SECONDS)
        run.ask("/r/a/x/y/z", "", timeout=SECONDS)
        run.tell("/r/a", "end")
        settle(run)
        for address in ("/r/a/x", "/r/a/x/y", "/r/a/x/y/z"):
            with pytest.raises(Crashed, match="no such actor"):
                run.ask(address, "", timeout=SECONDS)


def test_a_crashed_child_is_restarted_with_its_state() -> None:
    with running(program(Child("a", Parent))) as run:
        made = spawn("kid", "tests.spawning.starting", redelivery="none")
        run.ask("/r/a", made, timeout=SECONDS)
        run.tell("/r/a/kid", "crash")
        settle(run)
        assert run.ask("/r/a/kid", "x", timeout=SECONDS)[2] == 2
    assert LOG == ["/r/a/kid start", "/r/a/kid start"]


def test_a_child_that_ends_normally_is_gone_and_its_name_is_free() -> None:
    store = MemoryStore()
    with running(program(Child("a", Parent)), store) as run:
        run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        run.tell("/r/a/kid", "stop")
        settle(run)
        answer = run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        assert answer == [Ref("/r/a/kid"), ["/r/a/kid", 0, 1]]  # another actor, with nothing got
    births = [birth.address for birth in of(store, records.Birth)]
    assert births.count("/r/a/kid") == 2
    assert dead_letters(store) == []


def test_a_child_that_crashes_too_often_takes_its_parent_down() -> None:
    store = MemoryStore()
    with running(program(Child("a", Parent, restart="temporary")), store) as run:
        run.ask("/r/a", spawn("kid", redelivery="none"), timeout=SECONDS)
        for _ in range(4):
            run.tell("/r/a/kid", "crash")
        settle(run)
        with pytest.raises(Crashed):
            run.ask("/r/a", spawn("other"), timeout=SECONDS)
    notes = [note for turn in of(store, records.Turn) for note in turn.notes]
    assert "shutdown: /r/a/kid: ValueError: kid" in notes


def test_a_child_that_took_its_parent_down_ends_with_it_though_the_parent_begins_again() -> None:
    store = MemoryStore()
    with running(program(Child("a", Parent)), store) as run:
        run.ask("/r/a", spawn("kid", redelivery="none"), timeout=SECONDS)
        for _ in range(4):
            run.tell("/r/a/kid", "crash")
        run.tell("/r/a/kid", "behind it")
        settle(run)
        answer = run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        assert answer == [Ref("/r/a/kid"), ["/r/a/kid", 0, 1]]
    to, why = dead_letters(store)[-1]
    assert to == "/r/a/kid"
    assert why in ("its actor is gone: ValueError: kid", "no such actor")  # it may come later


def test_the_options_of_a_child_are_those_of_its_spec() -> None:
    store = MemoryStore()
    with running(program(Child("a", Parent)), store) as run:
        made = spawn("kid", attempts_max=2, backoff={"first": 3.0, "factor": 1.0, "max": 3.0})
        run.ask("/r/a", made, timeout=SECONDS)
        run.tell("/r/a/kid", "crash")
        settle(run)
    crashes = of(store, records.Crash)
    assert [crash.attempt for crash in crashes] == [1, 2]
    assert crashes[1].time - crashes[0].time == 3_000_000_000


def test_a_back_off_may_be_given_as_one() -> None:
    class Careful(Actor, name="tests.spawning.careful"):
        async def on_receive(self, message: str) -> Ref:
            return self.spawn(Kid, message, backoff=Backoff(first=1.0))

    with running(program(Child("a", Careful))) as run:
        assert run.ask("/r/a", "kid", timeout=SECONDS) == Ref("/r/a/kid")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (spawn("kid", "Nobody"), "no actor class of that name"),
        (spawn("a/b"), "cannot name an actor"),
        (spawn("kid", init={"start_at": 1, "stray": 2}), "stray"),
        (spawn("kid", restart="sometimes"), "sometimes"),
        (spawn("kid", attempts_max=0), "attempts_max"),
        (spawn("kid", color="red"), "color"),
    ],
)
def test_what_cannot_be_spawned_is_refused_in_the_handler(made: Any, text: str) -> None:
    store = MemoryStore()
    with (
        running(program(Child("a", Parent, attempts_max=1)), store) as run,
        pytest.raises(Crashed, match=text),
    ):
        run.ask("/r/a", made, timeout=SECONDS)
    assert [birth.address for birth in of(store, records.Birth)] == ["/r", "/r/a"]


def test_a_child_that_is_there_already_is_found_as_it_is() -> None:
    with running(program(Child("a", Parent, attempts_max=1))) as run:
        run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        _, (address, _, heard) = run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        assert (address, heard) == ("/r/a/kid", 2)


def test_a_name_that_a_child_of_another_class_has_is_refused() -> None:
    with running(program(Child("a", Parent, attempts_max=1))) as run:
        run.ask("/r/a", spawn("kid"), timeout=SECONDS)
        with pytest.raises(Crashed, match="already"):
            run.ask("/r/a", spawn("kid", "tests.spawning.starting"), timeout=SECONDS)
        assert run.ask("/r/a/kid", "x", timeout=SECONDS)[2] == 2


def test_children_are_taken_up_after_the_process_died() -> None:
    disk = Disk()
    tree = program(Child("a", Parent))
    with running(tree, disk) as run:
        run.ask("/r/a", spawn("kid", "tests.spawning.starting"), timeout=SECONDS)
        settle(run)
        twin = disk.reopened()
    with resumed(tree, twin) as run:
        assert run.ask("/r/a/kid", "x", timeout=SECONDS) == ["/r/a/kid", 0, 2]
    assert LOG == ["/r/a/kid start"]


def test_a_blocking_handler_spawns_as_well() -> None:
    class Plain(Actor, name="tests.spawning.plain"):
        def on_receive(self, message: str) -> Any:
            return self.ask(self.spawn(Kid, message), "hello").get()

    with running(program(Child("a", Plain))) as run:
        assert run.ask("/r/a", "kid", timeout=SECONDS) == ["/r/a/kid", 0, 1]


def test_the_object_that_proved_an_init_is_the_one_that_takes_the_first_message() -> None:
    def made() -> int:
        LOG.append("made")
        return 0

    class Costly(Kid, name="tests.spawning.costly"):
        part: int = field(default_factory=made)

    with running(program(Child("a", Parent))) as run:
        run.ask("/r/a", spawn("kid", "tests.spawning.costly"), timeout=SECONDS)
    assert LOG == ["made"]


def test_a_spawned_child_is_loaded_before_its_first_message() -> None:
    class Loading(Kid, name="tests.spawning.loading"):
        def on_load(self) -> None:
            LOG.append(f"{self.start_at}")

    with running(program(Child("a", Parent))) as run:
        made = spawn("kid", "tests.spawning.loading", init={"start_at": 7})
        run.ask("/r/a", made, timeout=SECONDS)
        run.ask("/r/a/kid", "again", timeout=SECONDS)
    assert LOG == ["7"]


def test_options_that_were_right_once_are_checked_by_their_types_too() -> None:
    class Picky(Actor, name="tests.spawning.picky"):
        async def on_receive(self, message: Any) -> Any:
            return self.spawn(Kid, f"k{message!r}", attempts_max=message)

    with running(program(Child("a", Picky, attempts_max=1))) as run:
        assert run.ask("/r/a", 1, timeout=SECONDS) == Ref("/r/a/k1")
        for other in (True, 1.0):
            with pytest.raises(Crashed, match=rf"child 'k{other!r}'.*attempts_max"):
                run.ask("/r/a", other, timeout=SECONDS)


class Herd(Actor, name="tests.spawning.herd"):
    """Spawns as many as its message says, in one turn."""

    async def on_receive(self, message: int) -> None:
        for n in range(message):
            self.spawn(Starting, f"k{n}")


def decoded_for(children: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many messages are decoded until that many children, spawned at once, have started."""
    count, decode = 0, Codec.decode

    def counting(codec: Codec, data: bytes) -> Any:
        nonlocal count
        count += 1
        return decode(codec, data)

    with running(program(Child("a", Herd))) as run:
        monkeypatch.setattr(Codec, "decode", counting)
        run.ask("/r/a", children, timeout=SECONDS)
        settle(run)
        monkeypatch.undo()
    return count


def test_children_that_start_at_once_cost_the_same_each_however_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert decoded_for(400, monkeypatch) < 42 * decoded_for(10, monkeypatch)
