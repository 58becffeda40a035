"""Tracked containers do what plain ones do, and lose nothing of it: the model is plain Python."""

from __future__ import annotations

import bisect
import copy
import json
import pickle
import random
from collections.abc import Callable
from heapq import heappush
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.actors.actor import Actor, field
from perdure.actors.state import apply, build, collect, compact, materialise, restore
from perdure.actors.tracked import TrackedDict, TrackedList, TrackedSet
from perdure.errors import NotEncodable, UsageError
from perdure.ledger.images import Delta, Image
from perdure.ledger.values import Codec
from perdure.limits import STATE_OPS_MAX

CODEC = Codec()


class Keeper(Actor):
    value: Any = None


class Kept:
    """An actor with one field, its committed images, and what its last turn recorded."""

    def __init__(self, value: Any) -> None:
        self.images: dict[str, Image] = {}
        self.actor = build(Keeper, {"value": value})
        self.delta: Delta = ()
        self.close()

    @property
    def value(self) -> Any:
        return self.actor.value

    @property
    def committed(self) -> Any:
        return materialise(self.images["value"], CODEC.decode)

    def close(self) -> Delta:
        self.delta = collect(self.actor, self.images, CODEC.encode)
        CODEC.read_blob = dict(self.actor.__marks__.large).get
        apply(self.images, self.delta)
        compact(self.actor, self.images)
        return self.delta

    def reload(self) -> None:
        self.actor = restore(Keeper, self.images, CODEC.decode)

    def ops(self) -> list[str]:
        return [entry[1] for entry in self.delta]


def plain(value: Any) -> Any:
    return CODEC.decode(CODEC.encode(value))


# --- the law: whatever is done, the ledger holds what the object holds

LEAVES = st.one_of(st.integers(-2, 2), st.sampled_from(["a", "b"]), st.none())
NESTED = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
        st.tuples(inner),
    ),
    max_leaves=5,
)
AT = st.integers(-4, 4)
SLICES = st.builds(
    slice,
    st.none() | AT,
    st.none() | AT,
    st.sampled_from([None, None, 1, 2, -1, -2]),
)
SMALL = st.lists(NESTED, max_size=3)


def one(function: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> Any:
    return st.tuples(st.just(function), st.tuples(*strategies))


def inner_append(box: Any, at: Any, value: Any) -> None:
    inner = box[at]
    if isinstance(inner, dict):
        inner["c"] = value
    elif isinstance(inner, tuple):
        inner[0].append(value)
    else:
        inner.append(value)


def deep(box: Any, at: Any, value: Any) -> None:
    inner_append(box[at], -1 if isinstance(box[at], list) else "a", value)


def take_apart(box: Any, at: Any, value: Any) -> None:
    taken = box.pop(at)
    taken.append(value)
    box[0 if isinstance(box, list) else "a"] = taken


def put_then_change(box: Any, at: Any, value: Any) -> None:
    new: list[Any] = []
    box[at] = new
    new.append(value)


def alias(box: Any, a: Any, b: Any) -> None:
    box[a] = box[b]


def iadd(box: Any, values: Any) -> None:
    box += values


def imul(box: Any, n: int) -> None:
    box *= n


def ior(box: Any, other: Any) -> None:
    box |= other


def iand(box: Any, other: Any) -> None:
    box &= other


def isub(box: Any, other: Any) -> None:
    box -= other


def ixor(box: Any, other: Any) -> None:
    box ^= other


LIST_OPS = st.one_of(
    one(lambda box, v: box.append(v), NESTED),
    one(lambda box, v: box.extend(v), SMALL),
    one(lambda box: box.extend(box)),
    one(lambda box, i, v: box.insert(i, v), AT, NESTED),
    one(lambda box, i: box.pop(i), AT),
    one(lambda box, v: box.remove(v), LEAVES),
    one(lambda box: box.clear()),
    one(lambda box: box.reverse()),
    one(lambda box: box.sort(key=repr)),
    one(lambda box, i, v: box.__setitem__(i, v), AT, NESTED),
    one(lambda box, i, v: box.__setitem__(i, v), SLICES, SMALL),
    one(lambda box, i: box.__delitem__(i), AT | SLICES),
    one(iadd, SMALL),
    one(imul, st.integers(-1, 2)),
    one(lambda box, v: bisect.insort(box, v, key=repr), LEAVES),
    one(lambda box: random.Random(1).shuffle(box)),
    one(lambda box, i: box.append(box[i]), AT),
    *(one(nested, AT, LEAVES) for nested in (inner_append, deep, take_apart, put_then_change)),
    one(alias, AT, AT),
)
KEYS = st.sampled_from(["a", "b", "c", 1])
DICTS = st.dictionaries(KEYS, NESTED, max_size=3)
DICT_OPS = st.one_of(
    one(lambda box, k, v: box.__setitem__(k, v), KEYS, NESTED),
    one(lambda box, k: box.__delitem__(k), KEYS),
    one(lambda box, k: box.pop(k), KEYS),
    one(lambda box, k: box.pop(k, None), KEYS),
    one(lambda box: box.popitem()),
    one(lambda box: box.clear()),
    one(lambda box, k, v: box.setdefault(k, []).append(v), KEYS, LEAVES),
    one(lambda box, d: box.update(d), DICTS),
    one(lambda box, d, v: box.update(d, b=v), DICTS, NESTED),
    one(lambda box, d: box.update(list(d.items())), DICTS),
    one(ior, DICTS),
    *(one(nested, KEYS, LEAVES) for nested in (inner_append, deep, take_apart, put_then_change)),
    one(alias, KEYS, KEYS),
)
ELEMENTS = st.sampled_from([0, 1, 2, "a", True, 1.0, (1, "a")])
SETS = st.sets(ELEMENTS, max_size=4)
SET_OPS = st.one_of(
    one(lambda box, v: box.add(v), ELEMENTS),
    one(lambda box, v: box.discard(v), ELEMENTS),
    one(lambda box, v: box.remove(v), ELEMENTS),
    one(lambda box: box.clear()),
    *(
        one(lambda box, s, name=name: getattr(box, name)(s), SETS)
        for name in (
            ["update", "difference_update", "intersection_update", "symmetric_difference_update"]
        )
    ),
    *(one(function, SETS) for function in (ior, iand, isub, ixor)),
)


def do(box: Any, op: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
    """What an operation does: the class of what it raises, or None. Values are never shared."""
    function, args = op
    try:
        function(box, *copy.deepcopy(args))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return type(error)
    return None


def check_program(start: Any, turns: list[list[Any]]) -> None:
    kept, reloaded, model = Kept(start), Kept(start), plain(start)
    for turn in turns:
        reloaded.reload()
        for op in turn:
            outcome = do(model, op)
            assert do(kept.value, op) is outcome
            assert do(reloaded.value, op) is outcome
        model = plain(model)
        assert kept.close() == reloaded.close(), "an unload must not show in the journal"
        assert kept.value == model
        assert CODEC.encode(kept.value) == CODEC.encode(kept.committed)
        if type(model) is not set:  # of 1 and True, sets keep either
            assert CODEC.encode(kept.value) == CODEC.encode(model)
        assert kept.close() == ()


@given(SMALL, st.lists(st.lists(LIST_OPS, max_size=4), max_size=4))
def test_a_list_is_committed_as_a_plain_list_would_be(start: Any, turns: Any) -> None:
    check_program(start, turns)


@given(DICTS, st.lists(st.lists(DICT_OPS, max_size=4), max_size=4))
def test_a_dict_is_committed_as_a_plain_dict_would_be(start: Any, turns: Any) -> None:
    check_program(start, turns)


@given(SETS, st.lists(st.lists(SET_OPS, max_size=6), max_size=4))
def test_a_set_is_committed_as_a_plain_set_would_be(start: Any, turns: Any) -> None:
    check_program(start, turns)


READING = {
    list: "copy count index __add__ __contains__ __eq__ __format__ __ge__ __getitem__ __gt__ "
    "__iter__ __le__ __len__ __lt__ __mul__ __ne__ __repr__ __reversed__ __rmul__ __hash__ "
    "__class_getitem__",
    dict: "copy get items keys values __contains__ __eq__ __ge__ __getitem__ __gt__ __iter__ "
    "__le__ __len__ __lt__ __ne__ __or__ __repr__ __reversed__ __ror__ __hash__ __class_getitem__",
    set: "copy difference intersection isdisjoint issubset issuperset symmetric_difference union "
    "__and__ __contains__ __eq__ __ge__ __gt__ __iter__ __le__ __len__ __lt__ __ne__ __or__ "
    "__rand__ __repr__ __ror__ __rsub__ __rxor__ __sub__ __xor__ __hash__ __class_getitem__",
}


@pytest.mark.parametrize("kind", [TrackedList, TrackedDict, TrackedSet])
def test_every_method_that_changes_a_container_is_covered(kind: Any) -> None:
    base = kind.__plain__
    making = {"__init__", "__new__", "__doc__", "__getattribute__", "__sizeof__", "__reduce__"}
    changing = set(vars(base)) - set(READING[base].split()) - making
    assert changing <= set(vars(kind))
    assert "append" in changing or "update" in changing


# --- small operations stay small


@pytest.mark.parametrize(
    ("change", "ops"),
    [
        (lambda box: box.append(7), ["append"]),
        (lambda box: box.extend([7, 8]), ["extend"]),
        (lambda box: box.__setitem__(3, 7), ["setitem"]),
        (lambda box: box.pop(), ["delitem"]),
        (lambda box: box.__setitem__(slice(2, 4), [1]), ["splice"]),
        (lambda box: box.insert(0, 7), ["splice"]),
        (lambda box: box.clear(), ["splice"]),
        (lambda box: box.sort(reverse=True), ["="]),
        (lambda box: box.extend([]), []),
        (lambda box: box.index(5), []),
    ],
)
def test_a_list_records_the_operation_and_not_itself(change: Any, ops: list[str]) -> None:
    kept = Kept(list(range(100)))
    change(kept.value)
    kept.close()
    assert kept.ops() == ops


def test_a_dict_records_one_key_and_a_set_one_element() -> None:
    kept = Kept({str(n): n for n in range(100)})
    kept.value["5"] = 0
    assert kept.close() == (("value", "setitem", CODEC.encode("5"), CODEC.encode(0)),)
    kept = Kept(set(range(100)))
    kept.value.add(5)
    assert kept.close() == ()
    kept.value.discard(5)
    assert kept.close() == (("value", "discard", CODEC.encode(5)),)


def test_a_change_deep_inside_records_the_element_that_holds_it() -> None:
    kept = Kept({"a": {"x": [[1], [2]]}, "b": list(range(100))})
    kept.value["a"]["x"][0].append(3)
    kept.close()
    assert kept.delta == (
        ("value", "setitem", CODEC.encode("a"), CODEC.encode({"x": [[1, 3], [2]]})),
    )


def test_a_moved_element_is_still_found() -> None:
    kept = Kept([["a"], ["b"], ["c"]])
    kept.value.insert(0, "first")
    kept.value[2].append("more")
    kept.close()
    assert kept.ops() == ["splice", "setitem"]
    assert kept.committed == ["first", ["a"], ["b", "more"], ["c"]]


def test_a_set_records_its_net_change_in_the_order_of_the_encoding() -> None:
    one_way, other_way = Kept({1}), Kept({1})
    one_way.value.update(["b", "c"])
    one_way.value.add("a")
    one_way.value.discard(1)
    other_way.value.discard(1)
    other_way.value.update(["a", "c", "b"])
    assert one_way.close() == other_way.close()


def test_a_turn_with_more_operations_than_elements_records_the_whole() -> None:
    kept = Kept([1, 2, 3])
    for n in range(50):
        kept.value[0] = n
    kept.close()
    assert kept.ops() == ["="]


def test_the_log_of_a_turn_is_bounded() -> None:
    kept = Kept([0] * STATE_OPS_MAX)
    for n in range(STATE_OPS_MAX + 2):
        kept.value.append(n)
    assert kept.value._log is None
    kept.close()
    assert kept.ops() == ["="]
    assert len(kept.committed) == 2 * STATE_OPS_MAX + 2


# --- aliases, and what cannot be tracked


def test_a_container_put_in_and_then_changed_through_its_old_name_is_committed_changed() -> None:
    kept = Kept({})
    entry: dict[str, int] = {}
    kept.value["new"] = entry
    entry["late"] = 1
    kept.close()
    assert kept.committed == {"new": {"late": 1}}


def test_two_places_that_shared_a_list_in_one_turn_have_their_own_in_the_next() -> None:
    kept = Kept([[1]])
    kept.value.append(kept.value[0])
    kept.close()
    kept.value[0].append(2)
    kept.close()
    assert kept.value == kept.committed == [[1, 2], [1]]


def test_a_list_inside_a_tuple_inside_a_dict_is_compared_and_so_not_lost() -> None:
    kept = Kept({"pair": (1, [2])})
    kept.value["pair"][1].append(3)
    kept.close()
    assert kept.committed == {"pair": (1, [2, 3])}
    assert kept.close() == ()
    kept.value["pair"] = 0
    kept.close()
    kept.value["more"] = 1
    kept.close()
    assert kept.ops() == ["setitem"]  # nothing opaque is left, so operations are logged again


def test_a_list_changed_behind_its_methods_is_refused_with_the_way_out() -> None:
    kept = Kept([1])
    heappush(kept.value, 0)
    with pytest.raises(UsageError, match=r"Keeper\.value was changed behind its methods.*assign"):
        kept.close()


def test_a_key_that_no_dict_can_have_is_refused_when_the_turn_closes() -> None:
    kept = Kept({"a": 1})
    kept.value[None] = 1
    with pytest.raises(NotEncodable, match=r"Keeper\.value"):
        kept.close()


@pytest.mark.parametrize("value", [[1, [2]], {"a": [1]}, {1, 2}])
def test_copies_are_plain_and_no_part_of_the_state(value: Any) -> None:
    kept = Kept(value)
    box = kept.value
    for twin in (copy.deepcopy(box), pickle.loads(pickle.dumps(box)), box.copy(), copy.copy(box)):
        assert twin == value
        assert type(twin) is type(value)
    copy.deepcopy(box).clear()
    if not isinstance(value, set):
        copy.deepcopy(kept.value).pop(*([] if isinstance(value, list) else ["a"]))
        assert json.loads(json.dumps(box)) == value
    assert kept.close() == ()


def test_defaults_made_by_a_factory_are_not_shared() -> None:
    class Pages(Actor):
        pages: list[int] = field(default_factory=list)

    one, other = build(Pages, {}), build(Pages, {})
    one.pages.append(1)
    assert other.pages == []
