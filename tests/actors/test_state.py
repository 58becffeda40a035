"""State: built from defaults or from committed bytes, collected into a delta, never half."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from perdure.actors.actor import Actor, field, volatile
from perdure.actors.state import apply, build, collect, compact, materialise, restore, run_on_load
from perdure.errors import NotEncodable, UsageError
from perdure.ledger.images import Delta, Image
from perdure.ledger.messages import Names, message
from perdure.ledger.values import Codec
from perdure.limits import BLOB_BYTES_MIN, IMAGE_OPS_BYTES_MIN


class Profile(BaseModel):
    name: str
    tags: list[str] = []


message(Profile)


@message
class Found:
    page: str
    words: Any = ()


CODEC = Codec(Names.of(globals()))


class Editor(Actor):
    expected: int | None = None
    lines: dict[str, int] = field(default_factory=dict)
    title: str
    seen: set[str] = volatile(default_factory=set)
    handle: Any = volatile()
    _cache: int = 0


class Holder(Actor):
    value: Any = None
    other: Any = None


def close(actor: Actor, images: dict[str, Image]) -> Delta:
    delta = collect(actor, images, CODEC.encode)
    apply(images, delta)
    compact(actor, images)
    return delta


def held(value: Any) -> tuple[Holder, dict[str, Image]]:
    images: dict[str, Image] = {}
    actor = build(Holder, {"value": value})
    close(actor, images)
    return actor, images


def committed(images: dict[str, Image], name: str = "value") -> Any:
    return materialise(images[name], CODEC.decode)


# --- building


def test_a_new_object_has_its_defaults_and_its_init() -> None:
    actor = build(Editor, {"title": "Survey", "expected": 3})
    assert (actor.expected, actor.lines, actor.title, actor.seen) == (3, {}, "Survey", set())


def test_the_first_turn_records_every_field_in_the_order_of_the_declaration() -> None:
    delta = close(build(Editor, {"title": "Survey"}), {})
    assert [entry[:2] for entry in delta] == [("expected", "="), ("lines", "="), ("title", "=")]


def test_an_unknown_init_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"Editor .*test_state\.py:\d+.*'expectd'.*'expected'"):
        build(Editor, {"title": "Survey", "expectd": 3})


def test_a_missing_init_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Editor .* needs 'title' in its init.*declare a default"):
        build(Editor, {})


def test_volatile_attributes_cannot_be_given_in_init() -> None:
    with pytest.raises(UsageError, match="no field 'seen'"):
        build(Editor, {"title": "Survey", "seen": {"a"}})


def test_a_restored_object_has_committed_state_and_fresh_volatile_attributes() -> None:
    images: dict[str, Image] = {}
    actor = build(Editor, {"title": "Survey"})
    actor.lines["a.py"] = 3
    actor.seen.add("a.py")
    actor._cache = 5
    actor.handle = object()
    close(actor, images)
    again = restore(Editor, images, CODEC.decode)
    assert (again.lines, again.title, again.seen, again._cache) == ({"a.py": 3}, "Survey", set(), 0)
    assert not hasattr(again, "handle")
    assert close(again, images) == ()


def test_what_was_not_collected_is_not_in_the_next_object() -> None:
    actor, images = held(["kept"])
    actor.value.append("lost")
    assert restore(Holder, images, CODEC.decode).value == ["kept"]


def test_a_field_that_the_ledger_does_not_hold_gets_its_default_and_is_recorded() -> None:
    _, images = held(1)
    del images["other"]
    actor = restore(Holder, images, CODEC.decode)
    assert actor.other is None
    assert close(actor, images) == (("other", "=", CODEC.encode(None)),)


def test_a_required_field_that_the_ledger_does_not_hold_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Editor\.title .*has no default.*migrate"):
        restore(Editor, {"expected": Image(CODEC.encode(1), [])}, CODEC.decode)


def test_a_field_that_the_class_declares_no_more_is_refused_not_dropped() -> None:
    _, images = held(1)
    images["old"] = Image(CODEC.encode(1), [])
    with pytest.raises(UsageError, match=r"holds Holder\.old, which .* declares no more.*migrate"):
        restore(Holder, images, CODEC.decode)


class Renamed(Actor, version=2):
    total: int = 0
    names: list[str] = field(default_factory=list)

    @classmethod
    def migrate(cls, state: dict[str, Any], version: int) -> dict[str, Any]:
        return {"total": state.pop("sum") + version, **state}


def test_migrate_turns_the_fields_of_an_older_version_into_those_of_today() -> None:
    images: dict[str, Image] = {}
    apply(images, (("sum", "=", CODEC.encode(5)), ("names", "=", CODEC.encode(["a"]))))
    actor = restore(Renamed, images, CODEC.decode, version=1)
    assert (actor.total, actor.names) == (6, ["a"])
    ops = [entry[:2] for entry in close(actor, images)]
    assert ops == [("total", "="), ("names", "="), ("sum", "-")]
    again = restore(Renamed, images, CODEC.decode, version=2)
    assert (again.total, again.names) == (6, ["a"])


class Loading(Actor):
    total: int = 0
    pages: list[int] = field(default_factory=list)
    handle: Any = volatile()
    spoils: str = ""

    def on_load(self) -> None:
        self.handle = object()
        if self.spoils == "total":
            self.total = 5
        elif self.spoils == "pages":
            self.pages.append(1)


def test_on_load_sets_volatile_attributes_and_changes_nothing_else() -> None:
    actor, images = build(Loading, {}), {}
    run_on_load(actor)
    assert len(close(actor, images)) == 3  # a new object's fields are still to be recorded
    again = restore(Loading, images, CODEC.decode)
    run_on_load(again)
    assert again.handle is not None
    assert close(again, images) == ()


@pytest.mark.parametrize("field_name", ["total", "pages"])
def test_on_load_may_not_change_what_is_durable(field_name: str) -> None:
    images: dict[str, Image] = {}
    close(build(Loading, {"spoils": field_name}), images)
    actor = restore(Loading, images, CODEC.decode)
    with pytest.raises(UsageError, match=rf"Loading\.on_load changes '{field_name}'.*on_start"):
        run_on_load(actor)


# --- collecting


def test_objects_share_only_what_nobody_writes_to() -> None:
    for value in ([1], ("a", [1]), b"x" * (BLOB_BYTES_MIN + 1)):
        collect(build(Holder, {"value": value}), {}, CODEC.encode)
    marks = build(Holder, {}).__marks__
    assert [marks.owned, marks.opaque, marks.rebased, marks.large] == [{}, set(), {}, {}]


def test_a_turn_without_a_change_records_nothing() -> None:
    actor, images = held("same")
    actor.value = "".join(["sa", "me"])  # equal, another object: a reload must not show
    assert close(actor, images) == ()


def test_a_changed_scalar_is_recorded_whole_and_once() -> None:
    actor, images = held(1)
    actor.value = 2
    actor.value = 3
    assert close(actor, images) == (("value", "=", CODEC.encode(3)),)
    assert close(actor, images) == ()


def test_true_is_not_one() -> None:
    actor, images = held(1)
    actor.value = True
    close(actor, images)
    assert committed(images) is True


def test_an_assigned_container_is_tracked_from_the_next_turn_on() -> None:
    actor, images = held(None)
    actor.value = mine = [1]
    mine.append(2)
    close(actor, images)
    actor.value.append(3)
    assert close(actor, images) == (("value", "append", CODEC.encode(3)),)
    assert committed(images) == [1, 2, 3]


def test_augmented_assignment_records_the_operation() -> None:
    actor, images = held([1])
    actor.value += [2]
    assert close(actor, images) == (("value", "extend", CODEC.encode([2])),)


def test_fields_that_were_given_one_container_have_their_own_in_the_next_turn() -> None:
    actor, images = held([1])
    actor.other = actor.value
    actor.other.append(2)
    close(actor, images)
    assert (committed(images), committed(images, "other")) == ([1, 2], [1, 2])
    actor.other.append(3)
    close(actor, images)
    assert (actor.value, committed(images)) == ([1, 2], [1, 2])
    assert (actor.other, committed(images, "other")) == ([1, 2, 3], [1, 2, 3])


def test_swapped_containers_are_committed_swapped() -> None:
    actor, images = held([1])
    actor.other = {"a": 1}
    close(actor, images)
    actor.value, actor.other = actor.other, actor.value
    actor.value["b"] = 2
    close(actor, images)
    actor.other.append(2)
    close(actor, images)
    assert (committed(images), committed(images, "other")) == ({"a": 1, "b": 2}, [1, 2])


def test_a_container_that_was_replaced_no_longer_counts() -> None:
    actor, images = held([1])
    old = actor.value
    actor.value = [2]
    close(actor, images)
    old.append(3)
    assert close(actor, images) == ()
    actor.value = old
    close(actor, images)
    assert committed(images) == [1, 3]


def test_a_model_changed_in_place_is_found_by_comparing() -> None:
    actor, images = held(Profile(name="a"))
    actor.value.tags.append("new")
    close(actor, images)
    assert committed(images) == Profile(name="a", tags=["new"])
    assert close(actor, images) == ()


def test_a_message_that_holds_a_list_is_found_by_comparing() -> None:
    actor, images = held(Found("a", ["x"]))
    actor.value.words.append("y")
    close(actor, images)
    assert committed(images) == Found("a", ["x", "y"])


def test_a_model_in_two_fields_is_two_models_in_the_next_turn() -> None:
    actor, images = held(Profile(name="a"))
    actor.other = actor.value
    close(actor, images)
    actor.other.name = "b"
    close(actor, images)
    assert (actor.value.name, committed(images).name) == ("a", "a")
    assert committed(images, "other").name == "b"


def test_a_value_that_cannot_be_stored_names_the_field_and_changes_no_image() -> None:
    actor, images = held(1)
    before = dict(images)
    actor.value = {"client": object()}
    with pytest.raises(NotEncodable, match=r"Holder\.value\['client'\] is an? object"):
        collect(actor, images, CODEC.encode)
    assert images == before


def test_operations_that_outgrow_the_value_are_replaced_by_it() -> None:
    actor, images = held([])
    turns = 0
    while turns == 0 or images["value"].ops:
        actor.value.append(turns)
        assert close(actor, images) == (("value", "append", CODEC.encode(turns)),)
        turns += 1
        assert turns < IMAGE_OPS_BYTES_MIN
    assert turns > 10
    assert images["value"] == Image(CODEC.encode(list(range(turns))), [])


def test_a_collection_that_was_never_applied_leaves_nothing_for_the_next() -> None:
    actor, images = held([])
    for n in range(200):
        actor.value.append(n)
        collect(actor, images, CODEC.encode)
    compact(build(Holder, {}), images)
    assert images["value"].ops == []
