"""Children of an ordinary supervisor: a dict in start order, of which one is cheap to change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perdure.supervisors.entry import Entry
from perdure.supervisors.pools import Instances
from perdure.supervisors.shelves import difference
from perdure.supervisors.siblings import Siblings, is_same_order
from perdure.supervisors.spec import Child

SPEC = Child("w", "W")


def entries(*ids: str) -> dict[str, Entry]:
    return {id: Entry(id, SPEC) for id in ids}


@given(
    st.integers(0, 100),
    st.lists(st.tuples(st.sampled_from(["add", "change", "remove"]), st.integers(0, 400))),
)
def test_siblings_are_a_dict_whose_changes_are_known(
    first: int, steps: list[tuple[str, int]]
) -> None:
    known = entries(*(f"c{n}" for n in range(first)))
    found = before = Siblings.of(known)
    for step, number in steps:
        if step == "add":
            new = Entry(f"n{number}", SPEC, incarnation=number)
            known[new.id] = new
            found = found.with_entry(new)
        elif known:
            id = list(known)[number % len(known)]
            if step == "change":
                known[id] = known[id].to("running")
                found = found.with_entry(known[id])
            else:
                del known[id]
                found = found.without(id)
        assert list(found.items()) == list(known.items())
        assert (len(found), [*found.values()]) == (len(known), [*known.values()])
        gone, changed = difference(before, found)
        assert sorted(gone) == sorted(set(before) - set(found))
        assert changed == [each for id, each in found.items() if before.get(id) is not each]
        assert not is_same_order(before, found) or list(before) == list(found)
        before = found if number % 3 else before
    assert Siblings.of(known) == found


def test_who_changes_one_of_many_touches_few_of_the_others() -> None:
    many = Siblings.of(entries(*(f"c{n}" for n in range(1_000))))
    changed = many.with_entry(many["c500"].to("running"))
    old, new = many.shelves(), changed.shelves()
    touched = [shelf for index, shelf in old.items() if new[index] is not shelf]
    assert sum(len(shelf) for shelf in touched) <= 16
    assert is_same_order(many, changed)


def test_an_id_that_comes_again_is_the_last() -> None:
    found = Siblings.of(entries("a", "b", "c")).without("a").with_entry(Entry("a", SPEC))
    assert list(found) == ["b", "c", "a"]
    assert not is_same_order(Siblings.of(entries("a", "b", "c")), found)


def test_the_order_of_a_pool_is_that_of_its_numbers() -> None:
    assert is_same_order(Instances(), Instances().with_entry(Entry("1", SPEC)))
    assert not is_same_order(Siblings(), entries("a"))
