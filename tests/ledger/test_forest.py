"""The forest: each record below its cause, kept shallow, and thinned to what is asked for."""

from __future__ import annotations

from perdure.ledger.causes import Stamp
from perdure.ledger.forest import Branch, Forest


def forest(*parents: int) -> Forest:
    """Records 1, 2, 3… that these records caused."""
    grown = Forest()
    for seq, cause in enumerate(parents, 1):
        grown.add(Stamp(seq, 7, seq, seq, cause, ()))
    return grown


def drawn(grown: Forest, depth_max: int = 9, *, only: frozenset[int] | None = None) -> list[str]:
    found = grown.draw(lambda seq: only is None or seq in only, depth_max)
    return [f"{branch.stem}{branch.seq}" for branch in found]


def test_a_record_stands_below_the_one_that_caused_it() -> None:
    assert drawn(forest(0, 1, 1, 2, 3, 0, 2)) == [
        "1",
        "├─ 2",
        "│  ├─ 4",
        "│  └─ 7",
        "└─ 3",
        "   └─ 5",
        "6",
    ]


def test_without_a_message_it_is_below_the_record_before_it_of_its_actor() -> None:
    grown = forest(0, 1)
    grown.add(Stamp(3, 7, 3, 3, 0, (1, 2)))
    grown.add(Stamp(4, 0, 1, 3, 0, (1, 2)))  # of the run itself: nothing led to it
    assert drawn(grown) == ["1", "└─ 2", "   └─ 3", "4"]


def test_what_is_too_deep_goes_on_as_a_tree_of_its_own() -> None:
    grown = forest(0, 1, 2, 3, 4, 3)
    assert drawn(grown, 2) == ["1", "└─ 2", "   └─ 3", "4", "└─ 5", "6"]
    assert [branch.seq for branch in grown.draw(lambda _: True, 2) if branch.is_root] == [1, 4, 6]


def test_what_is_left_out_takes_nothing_along() -> None:
    assert drawn(forest(0, 1, 2, 2), only=frozenset({1, 3, 4})) == ["1", "3", "4"]


def test_around_some_records_are_what_led_to_them_and_what_they_led_to_at_once() -> None:
    grown = forest(0, 1, 1, 2, 4, 5, 3)
    keep = grown.around(lambda seq: seq == 4)
    assert [seq for seq in range(1, 8) if keep(seq)] == [1, 2, 4, 5]


def test_a_long_chain_is_drawn_whole() -> None:
    grown = forest(*range(5_000))
    branches = list(grown.draw(lambda _: True, 12))
    assert [branch.seq for branch in branches] == list(range(1, 5_001))
    assert max(len(branch.stem) for branch in branches) == 36
    assert branches[0] == Branch(1, "", True)
