from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import UsageError
from perdure.ids import MessageId, Ref, check_name, join, parent, resolve
from perdure.limits import ADDRESS_BYTES_MAX, NAME_BYTES_MAX

names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


@given(st.integers(0, 2**63), st.integers(0, 2**31))
def test_a_message_id_is_read_back_from_its_text(seq: int, index: int) -> None:
    assert MessageId.parse(str(MessageId(seq, index))) == MessageId(seq, index)


@pytest.mark.parametrize("text", ["", "4", "4.", ".1", "4.1.2", "a.b", "-4.1", "4,1", "4.1 "])
def test_what_is_no_message_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"4\.1"):
        MessageId.parse(text)


def test_message_ids_are_ordered_as_they_were_sent() -> None:
    ids = [MessageId(10, 0), MessageId(9, 11), MessageId(9, 2)]
    assert sorted(ids) == [MessageId(9, 2), MessageId(9, 11), MessageId(10, 0)]


@pytest.mark.parametrize("name", ["", "a/b", "/", ".", "..", "a\nb", "a\0b", "\x1b[31m"])
def test_a_name_that_cannot_be_part_of_an_address_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name an actor"):
        check_name(name)


def test_a_name_may_be_as_long_as_its_limit_in_bytes_and_no_longer() -> None:
    assert check_name("ä" * (NAME_BYTES_MAX // 2))
    with pytest.raises(UsageError, match=str(NAME_BYTES_MAX)):
        check_name("ä" * (NAME_BYTES_MAX // 2) + "a")


def test_an_address_has_a_limit_of_its_own() -> None:
    longest = reduce(join, ["x" * 50] * (ADDRESS_BYTES_MAX // 51), "")
    assert len(longest.encode()) <= ADDRESS_BYTES_MAX
    with pytest.raises(UsageError, match=str(ADDRESS_BYTES_MAX)):
        join(longest, "x" * 50)


@given(st.lists(names, min_size=1, max_size=4), names)
def test_the_parent_of_a_child_is_where_it_was_joined(path: list[str], name: str) -> None:
    address = "/" + "/".join(path)
    assert parent(join(address, name)) == address
    assert Ref(join(address, name)).name == name


def test_the_root_has_nothing_above_it() -> None:
    assert parent("/trip") == ""


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/elsewhere", "/elsewhere"),
        ("helper", "/trip/planner/helper"),
        ("./helper", "/trip/planner/helper"),
        ("../researcher", "/trip/researcher"),
        ("../../other/x", "/other/x"),
        ("..", "/trip"),
        (".", "/trip/planner"),
    ],
)
def test_a_path_is_seen_from_where_the_actor_is(path: str, address: str) -> None:
    assert resolve("/trip/planner", path) == address


def test_a_path_above_the_root_is_refused() -> None:
    with pytest.raises(UsageError, match="above the root"):
        resolve("/trip/planner", "../../../x")


def test_a_path_with_an_unprintable_name_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot name an actor"):
        resolve("/trip", "a\tb")


def test_a_ref_is_its_address() -> None:
    assert str(Ref("/trip/planner")) == "/trip/planner"
    assert Ref("/trip/planner") == Ref("/trip/planner") != Ref("/trip")
