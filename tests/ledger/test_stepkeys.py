"""Which branch a step is in, and when a failure is past."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from perdure.errors import Refused
from perdure.ledger.stepkeys import Keys, above, branch_of, is_past, last_begun
from perdure.limits import STEP_KEY_BYTES_MAX


class Begun(NamedTuple):
    begun: int


def test_a_key_counts_the_steps_of_a_name_in_a_branch() -> None:
    keys = Keys()
    assert [keys.next("", "net.read"), keys.next("", "net.read"), keys.next("", "now")] == [
        "net.read#1",
        "net.read#2",
        "now#1",
    ]
    assert keys.next("1.", "net.read") == "1.net.read#1"


def test_tasks_are_numbered_by_their_starter_and_take_no_number_from_its_steps() -> None:
    keys = Keys()
    keys.next("", "net.read")
    assert [keys.child(""), keys.child(""), keys.child("2.")] == ["1.", "2.", "2.1."]


@pytest.mark.parametrize(
    ("key", "branch"),
    [("now#1", ""), ("12.3.net.read#4", "12.3."), ("ask /r/1.a#1", ""), ("spawn 1.#1", "")],
)
def test_a_branch_is_read_from_a_key(key: str, branch: str) -> None:
    assert branch_of(key) == branch


def test_above_a_branch_are_those_that_started_it() -> None:
    assert list(above("10.2.")) == ["10.2.", "10.", ""]


def test_a_key_that_no_table_can_hold_is_refused() -> None:
    with pytest.raises(Refused, match=f"at most {STEP_KEY_BYTES_MAX} bytes"):
        Keys().next("1." * 100, "x" * 300)


@pytest.mark.parametrize(
    ("went_on", "past"),
    [
        ("net.read#2", True),  # the branch itself
        ("1.net.read#2", False),  # a task beside the one that failed
        ("2.1.net.read#1", False),  # a task that it had started before
    ],
)
def test_a_failure_is_past_when_its_branch_or_one_above_began_a_step_later(
    went_on: str, past: bool
) -> None:
    begun = last_begun({went_on: Begun(9)}.items())
    assert is_past("2.net.read#1", 8, begun) is past
    assert is_past("2.net.read#1", 10, begun) is False


def test_what_was_begun_before_a_failure_does_not_make_it_past() -> None:
    begun = last_begun({"a#1": Begun(3), "b#1": Begun(7), "now#1": Begun(0)}.items())
    assert begun == {"": 7}
    assert is_past("c#1", 7, begun)
    assert not is_past("c#1", 8, begun)
