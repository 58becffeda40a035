"""Random faults that are the same in every run of one seed."""

from __future__ import annotations

from tests.scenarios.modules import load

chance = load("library_survey", "chance")
NAMES = [f"file{i}.py" for i in range(10_000)]


def struck(seed: int, probability: float) -> set[str]:
    return {name for name in NAMES if chance.strikes(seed, name, probability)}


def test_the_share_of_names_struck_is_the_probability() -> None:
    assert 430 < len(struck(1, 0.05)) < 570  # 500, and about three standard deviations


def test_zero_strikes_none_and_one_strikes_all() -> None:
    assert struck(1, 0.0) == set()
    assert struck(1, 1.0) == set(NAMES)


def test_a_higher_probability_strikes_the_same_names_and_more() -> None:
    assert struck(1, 0.05) < struck(1, 0.1)


def test_another_seed_strikes_other_names() -> None:
    assert struck(1, 0.05) != struck(2, 0.05)
