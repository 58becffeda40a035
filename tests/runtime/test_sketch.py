"""Figures of many numbers in little room: quantiles that are near, errors that are honest."""

from __future__ import annotations

import random

import pytest

from perdure.runtime.sketch import BATCHES_MAX, Series, Sketch


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.999])
def test_a_quantile_is_within_two_and_a_half_percent(share: float) -> None:
    chance = random.Random(7)
    numbers = [int(chance.lognormvariate(15, 3)) for _ in range(10_000)]
    sketch = Sketch()
    for number in numbers:
        sketch.add(number)
    exact = sorted(numbers)[int(share * len(numbers)) - 1]
    assert sketch.quantile(share) == pytest.approx(exact, rel=0.026)
    assert sketch.mean == pytest.approx(sum(numbers) / len(numbers))
    assert (sketch.count, sketch.most) == (len(numbers), max(numbers))


def test_of_nothing_there_are_figures_too() -> None:
    sketch = Sketch()
    assert (sketch.mean, sketch.quantile(0.5), sketch.most) == (0.0, 0.0, 0)
    sketch.add(0)
    sketch.add(-5)  # a clock that was raised meanwhile
    assert (sketch.count, sketch.quantile(0.95)) == (2, 0.0)


def test_a_million_numbers_take_the_room_of_a_few_hundred() -> None:
    sketch, series = Sketch(), Series()
    for power in range(18):
        for digit in range(1, 10):
            sketch.add(digit * 10**power)
    for term in range(100_000):
        series.add(term % 7)
    assert len(sketch._buckets) <= 18 * 9
    assert len(series._batches) <= BATCHES_MAX
    assert (series.count, series.total) == (100_000, sum(term % 7 for term in range(100_000)))


def test_a_sum_is_off_by_more_than_its_error_one_time_in_twenty() -> None:
    chance, outside = random.Random(7), 0
    for _ in range(400):
        series = Series()
        for _ in range(300):
            series.add(chance.gauss(0.0, 1.0))
        outside += abs(series.total) > series.error
    assert 8 <= outside <= 40


def test_terms_that_are_like_their_neighbours_make_a_greater_error() -> None:
    alone, together, chance = Series(), Series(), random.Random(7)
    for _ in range(100):
        term = chance.gauss(0.0, 1.0)
        for _ in range(100):
            together.add(term)
            alone.add(chance.gauss(0.0, 1.0))
    assert together.error > 5 * alone.error
