"""What a handler makes of a failure that it catches, it makes of it again, wherever it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, field, message, tool
from perdure.ledger import records
from perdure.runtime.view import View
from tests.kit import SECONDS, Disk, Gate, of, program, resumed, running, settle
from tests.replaying import assert_identical

GATE = [Gate()]
CALLS: list[str] = []


class HttpError(Exception):
    """As clients raise it: a code, headers, and a response that nobody can store."""

    def __init__(self, code: int, *, response: object) -> None:
        super().__init__(f"status {code}", code)
        self.code = code
        self.headers = {"retry-after": 30}
        self.response = response


@message("tests.caught.seen")
class Seen:
    page: int


class Noted(Exception):
    pass


def fetch(how: str) -> str:
    CALLS.append(how)
    if how == "http":
        raise HttpError(503, response=object())
    if how == "os":
        raise FileNotFoundError(2, "No such file", "a.txt")
    error = Noted("noted")
    error.seen = Seen(3)  # type: ignore[attr-defined]
    raise error


@tool("world.fetch", effect="external")
async def fetch_it(how: str) -> str:
    return fetch(how)


class Catching(Actor, name="tests.caught.catching"):
    """Looks at what it catches, and goes on."""

    seen: list[Any] = field(default_factory=list)

    async def on_receive(self, message: tuple[str, str]) -> Any:
        end, how = message
        try:
            await (self.once(fetch, how) if how != "call" else self.call(fetch_it, how="http"))
        except HttpError as error:
            seen: list[Any] = [error.code, error.headers["retry-after"], error.args]
        except FileNotFoundError as error:
            seen = [error.errno, error.filename, error.args]
        except Noted as error:
            seen = [error.seen.page, error.args]  # type: ignore[attr-defined]
        await self.once(len, repr(seen))  # it is asked again only with the same arguments
        self.tell("/r/echo", seen)
        self.seen = seen
        if end == "crash" and self.attempt == 1:
            raise ValueError("after it")
        if end == "wait":
            await GATE[0].passed()
        return seen


class Echo(Actor, name="tests.caught.echo"):
    async def on_receive(self, message: Any) -> Any:
        return message


TREE = program(Child("a", Catching), Child("echo", Echo))
SEEN = {
    "http": [503, 30, ("status 503", 503)],
    "call": [503, 30, ("status 503", 503)],
    "os": [2, "a.txt", (2, "No such file")],
    "noted": [3, ("noted",)],
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()
    GATE[0] = Gate()


@pytest.mark.parametrize("how", SEEN)
@pytest.mark.parametrize("end", ["close", "crash"])
def test_a_retry_and_a_replay_see_the_attributes_that_the_first_attempt_saw(
    how: str, end: str
) -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        assert run.ask("/r/a", (end, how), timeout=SECONDS) == SEEN[how]
    assert len(CALLS) == 1
    assert of(disk, records.Stall) == []
    assert_identical(TREE, disk)


@pytest.mark.parametrize("how", SEEN)
def test_so_does_the_next_process(how: str) -> None:
    disk = Disk()
    with running(TREE, disk) as run:
        run.tell("/r/a", ("wait", how)).get(timeout=SECONDS)
        GATE[0].reached()
        run.ask("/r/echo", "durable", timeout=SECONDS)
        twin = disk.reopened()
        GATE[0].open()
    with resumed(TREE, twin) as run:
        settle(run)
    assert len(CALLS) == 1
    assert of(twin, records.Stall) == []
    assert View(twin.reopened()).state("/r/a")["seen"] == SEEN[how]
    assert_identical(TREE, twin)
