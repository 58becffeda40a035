from __future__ import annotations

import pytest

from perdure import Backoff
from perdure.actors.attempts import attempts_max, backoff_ns
from perdure.limits import ATTEMPTS_MAX, BACKOFF_SECONDS_MAX


@pytest.mark.parametrize("attempt", [1, 2, 3, 10, 5_000])
@pytest.mark.parametrize("factor", [1.0, 2.0, 7.5])
def test_a_message_waits_as_its_back_off_says(attempt: int, factor: float) -> None:
    backoff = Backoff(first=0.25, factor=factor, max=60.0)
    spec = {"backoff": backoff.to_data()}
    assert backoff_ns(spec, attempt) == int(backoff.seconds(attempt) * 1_000_000_000)


def test_without_a_back_off_the_wait_grows_from_the_default_to_its_bound() -> None:
    waits = [backoff_ns({}, attempt) for attempt in range(1, 100)]
    assert waits == sorted(waits)
    assert waits[0] > 0
    assert waits[-1] == BACKOFF_SECONDS_MAX * 1_000_000_000


def test_a_message_is_tried_as_often_as_its_actor_says() -> None:
    assert attempts_max({}) == ATTEMPTS_MAX
    assert attempts_max({"attempts_max": 7}) == 7
    assert attempts_max({"attempts_max": 7, "redelivery": "none"}) == 1
