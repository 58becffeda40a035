from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import UsageError
from perdure.supervisors import checks
from perdure.supervisors.backoff import Backoff
from perdure.supervisors.spec import Child, SupervisorSpec


class Worker:
    """Stands for an actor class."""


class Pool:
    """Stands for a supervisor class."""

    __supervisor__ = True


# --- defaults


def test_a_workers_defaults_are_otps() -> None:
    child = Child("reader", Worker)
    assert (child.restart, child.shutdown, child.significant) == ("permanent", 5.0, False)
    assert (child.attempts_max, child.redelivery, child.restore) == (3, "retry", ("committed",))
    assert not child.is_supervisor


def test_a_supervisors_defaults_are_otps() -> None:
    spec = SupervisorSpec()
    assert (spec.strategy, spec.intensity, spec.period) == ("one_for_one", 1, 5.0)
    assert (spec.auto_shutdown, spec.children) == ("never", ())


@pytest.mark.parametrize("child", [Child("s", supervisor=SupervisorSpec()), Child("s", Pool)])
def test_a_child_that_is_a_supervisor_is_given_all_the_time_it_needs(child: Child) -> None:
    assert child.is_supervisor
    assert child.shutdown == "infinity"


def test_a_shutdown_that_is_given_wins_over_the_default() -> None:
    assert Child("s", shutdown=2, supervisor=SupervisorSpec()).shutdown == 2.0
    assert Child("w", Worker, shutdown="brutal_kill").shutdown == "brutal_kill"
    assert Child("w", Worker, shutdown=0).shutdown == 0.0


def test_an_actor_class_is_stored_by_its_name() -> None:
    assert Child("reader", Worker).to_data()["actor"] == "Worker"


# --- refusals

BAD_CHILD_FIELDS = [
    ("id", 7, "one segment of an address"),
    ("id", "a/b", "without '/'"),
    ("actor", 7, "registered name"),
    ("actor", "", "registered name"),
    ("init", [1], "dict of field names"),
    ("init", {1: 2}, "dict of field names"),
    ("restart", "sometimes", "'transient'"),
    ("shutdown", -1, "'infinity', 'brutal_kill'"),
    ("shutdown", True, "'infinity', 'brutal_kill'"),
    ("shutdown", "soon", "'infinity', 'brutal_kill'"),
    ("shutdown", float("inf"), "'infinity', 'brutal_kill'"),
    ("shutdown", float("nan"), "'infinity', 'brutal_kill'"),
    ("shutdown", None, "'infinity', 'brutal_kill'"),
    ("significant", 1, "True, False"),
    ("redelivery", "often", "'none'"),
    ("attempts_max", 0, "whole numbers from 1"),
    ("attempts_max", 2.0, "whole numbers from 1"),
    ("attempts_max", True, "whole numbers from 1"),
    ("backoff", {"first": 1}, "Backoff(first"),
    ("restore", [], "['committed'], then"),
    ("restore", ["fresh"], "'fresh', and 'supervisor'"),
    ("restore", ["committed", "fresh", "mark:a"], "'fresh', and 'supervisor'"),
    ("restore", ["committed", "mark:a", "mark:a"], "each once"),
    ("restore_after", 0, "whole numbers from 1"),
    ("grants", "net", "an empty list"),
    ("grants", [{"on": "net"}], "not enforced yet"),
    ("budget", {"tokens": 5}, "not enforced yet"),
    ("supervisor", {"strategy": "one_for_one"}, "SupervisorSpec"),
]


@pytest.mark.parametrize(("field", "value", "allowed"), BAD_CHILD_FIELDS)
def test_a_bad_field_of_a_child_is_named_with_what_it_got_and_what_is_allowed(
    field: str, value: Any, allowed: str
) -> None:
    given = {"id": "reader", "actor": "Reader"} | {field: value}
    with pytest.raises(UsageError) as refused:
        Child(given.pop("id"), given.pop("actor"), **given)
    text = str(refused.value)
    assert allowed in text
    assert repr(value) in text
    assert field in text or "cannot name an actor" in text


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("strategy", "all_for_one", "'rest_for_one'"),
        ("intensity", -1, "whole numbers from 0"),
        ("intensity", 1.5, "whole numbers from 0"),
        ("period", 0, "greater than 0"),
        ("period", "5 s", "greater than 0"),
        ("auto_shutdown", True, "'any_significant'"),
        ("children", "Reader", "a list of Child"),
        ("children", ["Reader"], "Child objects only"),
    ],
)
def test_a_bad_field_of_a_supervisor_is_named_with_what_it_got_and_what_is_allowed(
    field: str, value: Any, allowed: str
) -> None:
    with pytest.raises(UsageError, match=field) as refused:
        SupervisorSpec(**{field: value})
    assert allowed in str(refused.value)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"first": -0.1}, "backoff.first"),
        ({"factor": 0.5}, "backoff.factor"),
        ({"max": "1"}, "backoff.max"),
        ({"first": 2.0, "max": 1.0}, "backoff.max"),
    ],
)
def test_a_bad_back_off_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError, match=field):
        Backoff(**given)


def test_a_child_without_actor_is_refused() -> None:
    with pytest.raises(UsageError, match="actor is None"):
        Child("reader")


def test_a_permanent_child_cannot_be_significant() -> None:
    with pytest.raises(UsageError, match=r"'reader'.*significant.*'permanent'"):
        Child("reader", Worker, significant=True)


def test_a_significant_child_needs_an_auto_shutdown() -> None:
    child = Child("reader", Worker, restart="transient", significant=True)
    with pytest.raises(UsageError, match=r"'reader'.*auto_shutdown is 'never'"):
        SupervisorSpec(children=[child])
    assert SupervisorSpec(auto_shutdown="any_significant", children=[child]).children == (child,)


def test_two_children_of_one_id_are_refused() -> None:
    with pytest.raises(UsageError, match="two children have the id 'a'"):
        SupervisorSpec(children=[Child("a", Worker), Child("a", Worker)])


@pytest.mark.parametrize(
    "data",
    [
        {"strategie": "one_for_one"},
        {"children": [{"id": "a", "actor": "A", "restrat": "permanent"}]},
        {"children": [{"id": "a", "actor": "A", "backoff": {"frist": 1.0}}]},
        {"children": [{"id": "a", "supervisor": {"period_seconds": 1.0}}]},
    ],
)
def test_a_key_that_no_spec_has_is_refused_with_the_right_ones(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"no field '\w+'\. Allowed: .*\."):
        SupervisorSpec.from_data(data)


@pytest.mark.parametrize(
    "data", [{"children": ["A"]}, {"children": [{"actor": "A"}]}, {"children": 7}]
)
def test_children_that_are_no_specs_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SupervisorSpec.from_data(data)


# --- back-off


def test_a_back_off_grows_to_its_end_and_stays_there() -> None:
    backoff = Backoff(first=0.01, factor=2.0, max=1.0)
    waits = [backoff.seconds(crashes) for crashes in range(10)]
    assert waits[:4] == [0.0, 0.01, 0.02, 0.04]
    assert waits[-2:] == [1.0, 1.0]
    assert backoff.seconds(1_000_000) == 1.0


# --- data

words = st.text("abcdefg", min_size=1, max_size=4)
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers())
durations = st.floats(0, 1e6)
backoffs = st.builds(
    lambda first, factor, more: Backoff(first=first, factor=factor, max=first + more),
    durations,
    st.floats(1, 10),
    durations,
)


def children(supervisors: st.SearchStrategy[SupervisorSpec]) -> st.SearchStrategy[Child]:
    options: dict[str, st.SearchStrategy[Any]] = {
        "init": st.dictionaries(words, plain, max_size=2),
        "restart": st.sampled_from(checks.RESTARTS),
        "shutdown": durations | st.sampled_from(checks.SHUTDOWN_WORDS),
        "redelivery": st.sampled_from(checks.REDELIVERIES),
        "attempts_max": st.integers(1, 9),
        "backoff": backoffs,
        "restore_after": st.integers(1, 9),
    }
    worker = st.builds(Child, words, words, **options)
    return worker | st.builds(Child, words, **options, supervisor=supervisors)


def supervisors_over(
    below: st.SearchStrategy[SupervisorSpec],
) -> st.SearchStrategy[SupervisorSpec]:
    return st.builds(
        SupervisorSpec,
        strategy=st.sampled_from(checks.ORDINARY),
        intensity=st.integers(0, 99),
        period=st.floats(0.001, 1e6),
        auto_shutdown=st.sampled_from(checks.AUTO_SHUTDOWNS),
        children=st.lists(children(below), max_size=3, unique_by=lambda child: child.id),
    )


trees = st.recursive(st.builds(SupervisorSpec), supervisors_over, max_leaves=4)


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(is_plain(each) for each in value)
    return value is None or type(value) in (bool, int, float, str)


@given(trees)
def test_a_tree_of_specs_comes_back_from_its_data_exactly(tree: SupervisorSpec) -> None:
    data = tree.to_data()
    assert is_plain(data)
    assert SupervisorSpec.from_data(data) == tree
    assert SupervisorSpec.from_data(data).to_data() == data
