from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.caps.budget import Budget
from perdure.errors import Broken, BudgetExhausted


def test_what_is_left_is_what_is_neither_spent_nor_reserved() -> None:
    assert Budget(100, spent=30, reserved=50).left == 20


def test_a_reservation_that_fits_exactly_is_admitted() -> None:
    budget = Budget(100, spent=40)
    assert budget.admits(60)
    assert budget.reserve(60).left == 0


def test_a_reservation_that_does_not_fit_is_refused_by_limit_and_way_out() -> None:
    budget = Budget(1_000, spent=900, reserved=50)
    assert not budget.admits(51)
    with pytest.raises(BudgetExhausted) as refused:
        budget.reserve(51)
    assert "50 of 1,000 tokens left" in str(refused.value)
    assert "51" in str(refused.value)
    assert "[budget] tokens" in str(refused.value)


def test_a_step_may_wait_for_room_that_open_reservations_can_give_back() -> None:
    budget = Budget(100, spent=40, reserved=30)
    assert budget.could_admit(60)
    assert not budget.could_admit(61)


def test_settling_below_the_reservation_gives_the_rest_back() -> None:
    assert Budget(100).reserve(60).settle(60, 10) == Budget(100, spent=10, reserved=0)


def test_a_bill_above_its_reservation_is_charged_in_full_and_stops_admission() -> None:
    budget = Budget(100).reserve(60).settle(60, 130)
    assert budget.spent == 130
    assert not budget.admits(1)
    assert not budget.could_admit(1)


def test_no_more_can_be_settled_than_is_reserved() -> None:
    with pytest.raises(Broken):
        Budget(100).reserve(10).settle(11, 11)


def test_without_a_limit_everything_is_admitted_and_nothing_is_left_to_count() -> None:
    budget = Budget(None).reserve(10**12)
    assert budget.left is None
    assert budget.admits(10**15)
    assert budget.could_admit(10**15)


@given(
    st.integers(0, 1_000), st.lists(st.tuples(st.integers(0, 300), st.floats(0, 1)), max_size=40)
)
def test_spent_and_reserved_never_pass_the_limit(
    limit: int, steps: list[tuple[int, float]]
) -> None:
    budget, open_steps = Budget(limit), []
    for tokens, share in steps:
        if budget.admits(tokens):
            budget = budget.reserve(tokens)
            open_steps.append((tokens, int(tokens * share)))
        elif open_steps:
            budget = budget.settle(*open_steps.pop(0))
        assert 0 <= budget.spent + budget.reserved <= limit
        assert budget.reserved == sum(reserved for reserved, _ in open_steps)
