from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.mailbox.index import (
    COST_DEFAULT,
    QOS_COST,
    SERVICE_SECONDS_MIN,
    cmu,
    holding_cost,
)

costs = st.floats(0.001, 1e6)
seconds = st.floats(SERVICE_SECONDS_MIN, 1e4)


@given(costs, costs, seconds)
def test_of_two_messages_of_one_length_the_dearer_comes_first(a: float, b: float, s: float) -> None:
    assert (cmu(a, s) > cmu(b, s)) == (a / s > b / s)
    assert cmu(max(a, b), s) >= cmu(min(a, b), s)


@given(costs, st.tuples(seconds, seconds))
def test_of_two_messages_of_one_cost_the_shorter_comes_first(
    cost: float, lengths: tuple[float, float]
) -> None:
    assert cmu(cost, min(lengths)) >= cmu(cost, max(lengths))


@given(st.lists(st.tuples(costs, seconds), min_size=2, max_size=2))
def test_serving_by_index_never_costs_more_than_the_other_order(
    jobs: list[tuple[float, float]],
) -> None:
    first, second = sorted(jobs, key=lambda job: -cmu(*job))

    def weighted_completion(a: tuple[float, float], b: tuple[float, float]) -> float:
        return a[0] * a[1] + b[0] * (a[1] + b[1])

    best = weighted_completion(first, second)
    assert best <= weighted_completion(second, first) * (1 + 1e-9)


@pytest.mark.parametrize("nothing", [0.0, -1.0])
def test_a_service_time_of_nothing_is_the_shortest_there_is(nothing: float) -> None:
    assert cmu(2.0, nothing) == 2.0 / SERVICE_SECONDS_MIN


def test_a_message_that_says_nothing_costs_what_utility_work_costs() -> None:
    assert holding_cost(None, None) == COST_DEFAULT == QOS_COST["utility"]


def test_a_cost_that_is_said_counts_more_than_a_class_of_service() -> None:
    assert holding_cost(7, "background") == 7.0
    assert isinstance(holding_cost(7, None), float)


@pytest.mark.parametrize(("qos", "cost"), QOS_COST.items())
def test_each_class_of_service_has_its_cost(qos: str, cost: float) -> None:
    assert holding_cost(None, qos) == cost


def test_the_classes_of_service_are_ordered() -> None:
    order = ["interactive", "initiated", "utility", "background"]
    assert sorted(QOS_COST, key=QOS_COST.__getitem__, reverse=True) == order


@pytest.mark.parametrize("cost", [0, -1, 0.0, float("nan")])
def test_a_cost_that_is_not_positive_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        holding_cost(cost, None)


def test_an_unknown_class_of_service_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="interactive, initiated, utility, background"):
        holding_cost(None, "urgent")
