from __future__ import annotations

import pytest

from perdure import Backoff
from perdure.actors.attempts import attempts_max, backoff_ns, chance_of
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


def test_jitter_takes_a_share_of_the_wait_away_by_chance_and_never_more() -> None:
    spec = {"backoff": Backoff(first=1.0, jitter=0.25).to_data()}
    waits = [backoff_ns(spec, 1, chance_of(7, actor, (9, 0), 1)) for actor in range(1_000)]
    assert all(750_000_000 < wait <= 1_000_000_000 for wait in waits)
    assert 860_000_000 < sum(waits) / len(waits) < 890_000_000
    assert len(set(waits)) > 990


def test_chance_is_that_of_the_seed_the_actor_the_message_and_the_attempt() -> None:
    base = (7, 3, (9, 0), 1)
    others = [(8, 3, (9, 0), 1), (7, 4, (9, 0), 1), (7, 3, (9, 1), 1), (7, 3, (9, 0), 2)]
    assert chance_of(*base) == chance_of(*base)
    assert chance_of(*base) not in [chance_of(*other) for other in others]
