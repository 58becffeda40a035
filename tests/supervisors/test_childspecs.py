"""What is wrong with a spec, in OTP's words and in its order."""

from __future__ import annotations

from typing import Any

import pytest

from perdure.errors import UsageError
from perdure.mailbox.control import NORMAL, Reason
from perdure.supervisors import actions, events
from perdure.supervisors.childspecs import check_childspecs
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.spec import Child, SupervisorSpec
from tests.supervisors.test_calls import CALLER, reply
from tests.supervisors.tiny import World, spec_of, starts

GOOD = {"id": "x", "actor": "X"}
NEVER = ("bad_combination", [("auto_shutdown", "never"), ("significant", True)])
PERMANENT = ("bad_combination", [("restart", "permanent"), ("significant", True)])
WRONG: list[tuple[Any, Any]] = [
    ({"actor": "X", "restart": "odd"}, "missing_id"),
    ({"id": "x", "restart": "odd"}, "missing_start"),
    (GOOD | {"actor": 7, "restart": "odd"}, ("invalid_mfa", 7)),
    (GOOD | {"restart": "odd", "significant": "odd"}, ("invalid_restart_type", "odd")),
    (GOOD | {"significant": "odd", "type": "odd"}, ("invalid_significant", "odd")),
    (GOOD | {"significant": True, "type": "odd"}, PERMANENT),
    (GOOD | {"type": "odd", "shutdown": -1.0}, ("invalid_child_type", "odd")),
    (GOOD | {"shutdown": -1.0, "modules": 7}, ("invalid_shutdown", -1.0)),
    (GOOD | {"modules": 7}, ("invalid_modules", 7)),
    (GOOD | {"modules": ["a", 1]}, ("invalid_module", 1)),
    ("junk", ("invalid_child_spec", "junk")),
]


def why(*specs: Any, auto_shutdown: str | None = None) -> Any:
    with pytest.raises(BadSpec) as refused:
        check_childspecs(list(specs), auto_shutdown)
    return refused.value.why


@pytest.mark.parametrize(("spec", "expected"), WRONG)
def test_the_first_thing_that_otp_would_see_is_what_is_wrong(spec: Any, expected: Any) -> None:
    assert why(GOOD | {"id": "y"}, spec) == expected
    assert reply(World(spec_of("one_for_one", "a")), events.AddChild(spec, CALLER)) == (
        False,
        NEVER if expected == PERMANENT else expected,
    )


def test_specs_that_could_be_children_are_fine() -> None:
    check_childspecs([GOOD, Child("y", "Y", shutdown=0, modules="dynamic")])
    check_childspecs([GOOD | {"restart": "transient", "significant": True}])


def test_two_of_one_id_are_found_before_what_is_wrong_with_a_later_one() -> None:
    assert why(GOOD, GOOD, "junk") == ("duplicate_child_name", "x")


def test_significance_is_checked_against_an_auto_shutdown_that_is_given() -> None:
    child = GOOD | {"restart": "transient", "significant": True}
    assert why(child, auto_shutdown="never") == NEVER
    check_childspecs([child], "any_significant")
    assert why(auto_shutdown="odd") == ("badarg", "odd")


def test_specs_that_are_no_list_are_refused() -> None:
    with pytest.raises(BadSpec) as refused:
        check_childspecs("junk")
    assert refused.value.why == ("badarg", "junk")


def test_what_is_wrong_with_a_spec_is_told_to_people_too() -> None:
    world = World(spec_of("one_for_one", "a"))
    (answer,) = world.send(events.AddChild(GOOD | {"restart": "odd"}, CALLER))
    assert isinstance(answer, actions.Reply)
    assert answer.text.startswith("child 'x': restart is 'odd'. Allowed: 'permanent'")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"strategy": "odd", "period": 0}, ("supervisor_data", ("invalid_strategy", "odd"))),
        ({"period": 0, "children": ["junk"]}, ("supervisor_data", ("invalid_period", 0))),
        ({"children": ["junk"]}, ("start_spec", ("invalid_child_spec", "junk"))),
        ({"children": [GOOD, GOOD]}, ("start_spec", ("duplicate_child_name", "x"))),
        ({"strategy": "simple_one_for_one", "children": []}, ("bad_start_spec", [])),
    ],
)
def test_a_supervisors_flags_are_looked_at_before_its_children(data: Any, expected: Any) -> None:
    with pytest.raises(BadSpec) as refused:
        SupervisorSpec.from_data(data)
    assert refused.value.of_start == expected


def test_a_type_is_told_by_the_child_or_by_what_it_is() -> None:
    assert Child("a", "A", type="supervisor").shutdown == "infinity"
    assert Child("a", supervisor=SupervisorSpec()).type == "supervisor"
    assert Child("a", "A").type == "worker"
    with pytest.raises(UsageError, match="as supervisor is given"):
        Child("a", supervisor=SupervisorSpec(), type="worker")


# --- the supervisor's own start


def test_a_supervisor_that_declines_its_start_has_no_children_left() -> None:
    world = World(spec_of("one_for_one", "a"))
    world.send(events.Halt(NORMAL))
    world.take()
    assert world.send(events.Decline()) == [actions.Forget("a"), actions.Declined()]
    world.take()
    assert starts(world.send(events.Begin(world.spec))) == ["a"]


def test_a_supervisor_whose_specs_are_wrong_starts_nothing() -> None:
    world = World(spec_of("one_for_one", "a"), begin=False)
    reason = Reason("crash", "BadSpec: …")
    assert world.send(events.CannotBegin(reason)) == [actions.InitFailed(reason)]
    assert world.alive == {}


# --- specs that are asked for


def test_the_spec_of_a_child_is_whole_also_when_the_child_was_added() -> None:
    world = World(spec_of("one_for_one", "a"))
    added = Child("b", "B", restart="transient", shutdown=1, init={"page": 1})
    world.send(events.AddChild(added))
    assert reply(world, events.GetChildSpec("b", CALLER)) == (True, added.to_data())
    assert reply(world, events.GetChildSpec("z", CALLER)) == (False, "not_found")


def test_nobody_is_told_what_a_temporary_child_that_was_added_began_with() -> None:
    given = Child("a", "A", restart="temporary", init={"page": 1})
    world = World(spec_of("one_for_one", given))
    world.send(events.AddChild(Child("b", "B", restart="temporary", init={"page": 2})))
    told = [reply(world, events.GetChildSpec(id, CALLER))[1]["init"] for id in ("a", "b")]
    assert told == [{"page": 1}, None]
