"""What is done to actors from above, seen from the run that waits for its end."""

from __future__ import annotations

from typing import Any

from perdure import Actor, Child
from perdure.runtime.report import SUSPENDED
from tests.kit import SECONDS, program, running


class Clerk(Actor, name="tests.operated.clerk"):
    async def on_receive(self, message: Any) -> Any:
        if message == "ask":
            return await self.ask("../ann", "work")
        return message


def office() -> Any:
    return program(Child("ann", Clerk), Child("bob", Clerk))


def test_a_run_of_which_only_suspended_work_is_left_is_waiting_and_says_what_helps() -> None:
    with running(office()) as run:
        run.suspend("/r/ann")
        run.tell("/r/bob", "ask").get(timeout=SECONDS)
        report = run.wait(timeout=SECONDS)
    assert (report.status, report.reason) == ("waiting", SUSPENDED)


def test_an_idle_actor_that_is_suspended_holds_nothing_up() -> None:
    with running(office()) as run:
        run.suspend("/r/ann")
        assert run.wait(timeout=SECONDS).status == "finished"
