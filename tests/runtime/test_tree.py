"""The supervision tree of a scenario file, and what is wrong with those that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.actors.actor import Actor
from perdure.errors import ScenarioError
from perdure.runtime.scenario import load_scenario
from perdure.supervisors.backoff import Backoff
from tests.runtime.survey import TEXT, changed, children, refusal


def test_the_tree_is_the_file_s_with_settings_and_counts_filled_in(folder: Path) -> None:
    scenario = load_scenario("scenario.toml")
    root = scenario.tree.supervisor
    assert root is not None
    assert (scenario.tree.id, root.strategy, root.intensity) == ("survey", "rest_for_one", 3)
    tree = children(scenario)
    assert list(tree) == ["catalogue", "readers", "editor"]
    assert tree["catalogue"].init == {
        "folder": "sample",
        "readers": 2,
        "path": ["in sample", "${folder}"],
    }
    assert (tree["editor"].restart, tree["editor"].shutdown) == ("transient", "brutal_kill")
    pool = tree["readers"].supervisor
    assert (pool.strategy, pool.intensity) == ("one_for_one", 2)
    assert [(child.id, child.init) for child in pool.children] == [
        ("1", {"number": 1, "loud": False}),
        ("2", {"number": 2, "loud": False}),
    ]
    assert pool.children[0].backoff == Backoff(first=0.01, factor=2.0, max=1.0)


POOLS = """
[[tree.children]]
id = "some"
strategy = "dynamic"
children_max = 5

[[tree.children]]
id = "alike"
strategy = "simple_one_for_one"

[[tree.children.children]]
id = "job"
actor = "Job"
deadline = 2.5
breaker = 4
backoff = { jitter = 0.5 }

[[tell]]
"""


def test_pools_are_read_with_their_bound_and_their_template(folder: Path) -> None:
    tree = children(changed("[[tell]]", POOLS))
    some, alike = tree["some"].supervisor, tree["alike"].supervisor
    assert (some.strategy, some.children_max, some.children) == ("dynamic", 5, ())
    (job,) = alike.children
    assert (alike.strategy, job.deadline, job.breaker, job.backoff.jitter) == (
        "simple_one_for_one", 2.5, 4, 0.5,
    )  # fmt: skip


def test_a_first_message_to_the_template_of_a_pool_is_refused(folder: Path) -> None:
    says, at = refusal('[[tell]]\nto = "/survey/catalogue"', f'{POOLS}to = "/survey/alike/job"')
    assert says == (
        "/survey/alike/job is the template of a pool, at which nobody lives: the children of "
        "/survey/alike are /survey/alike/1 and so on, when somebody starts them."
    )
    assert at.startswith("to")


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("[tree]\n", "[trees]\n", "trees]", "'trees' is no key of a scenario. Did you mean 'tree'"),
        (
            'strategy = "rest_for_one"',
            "",
            "tree]",
            "[tree] is the root supervisor and needs a strat",
        ),
        (
            '"one_for_one"',
            '"one_for_none"',
            "strategy",
            "supervisor: strategy is 'one_for_none'. Al",
        ),
        (
            'strategy = "one_for_one"',
            "",
            "children]]",
            "a supervisor needs the key 'strategy', and has",
        ),
        (
            'strategy = "one',
            'stratgy = "one',
            "stratgy",
            "'stratgy' is no key of a supervisor. Did",
        ),
        ('"one_for_one"', "1", "strategy", "strategy is the number 1 and must be a string."),
        ("intensity = 3", "intensity = -3", "intensity", "supervisor: intensity is -3. Allowed: w"),
        (
            "intensity = 3",
            'intensity = "3"',
            "intensity",
            "intensity is the string '3' and must be",
        ),
        (
            "intensity = 3",
            "count = 3",
            "count",
            "there is one root: count is for what is below [tr",
        ),
        ('id = "catalogue"', "", "children]]", "an actor needs the key 'id', and has none."),
        ('"catalogue"', '"a/b"', "id", "'a/b' cannot name an actor: "),
        (
            '"editor"',
            '"readers"',
            'id = "readers"',
            "two children of /survey have the id 'readers'",
        ),
        ('"${i}"', '"a"', "id", "two children of /survey/readers have the id 'a': put ${i} in its"),
        ('actor = "Catalogue"', "", "children]]", "an actor needs the key 'actor', and has none."),
        ('"Catalogue"', "1", "actor", "actor is the number 1 and must be a string."),
        (
            "${folder}",
            "${foldr}",
            "folder =",
            "${foldr}: there is no setting 'foldr'. Did you mean",
        ),
        ("in ${folder}", "in ${i}", '"in ${i}"', "${i}: there is no setting 'i'. The settings are"),
        (
            '"transient"',
            '"often"',
            "restart",
            "child 'editor': restart is 'often'. Allowed: 'perman",
        ),
        (
            'restart = "transient"',
            "significant = true",
            "significant",
            "child 'editor': significant",
        ),
        (
            'restart = "transient"',
            "budget = {}",
            "budget",
            "child 'editor': budget is {}. Allowed: ",
        ),
        (
            '"brutal_kill"',
            "-1",
            "shutdown",
            "child 'editor': shutdown is -1. Allowed: seconds from",
        ),
        ('"brutal_kill"', "true", "shutdown", "shutdown is true and must be a string or a number."),
        ("first = 0.01", "first = 9.0", "max", "backoff: backoff.max is 1.0. Allowed: seconds fro"),
        ("backoff = {", "backoff = 3 #", "backoff", "backoff is the number 3 and must be a table."),
        (
            'count = "${readers}"',
            "count = 2.0",
            "count",
            "count is the number 2.0 and must be an in",
        ),
        (
            'count = "${readers}"',
            "count = 0",
            "count",
            "count is 0 and must be from 1 to 1,000,000",
        ),
        (
            'count = "${readers}"',
            "count = -2",
            "count",
            "count is -2 and must be from 1 to 1,000,00",
        ),
    ],
)
def test_a_wrong_tree_is_refused_at_line_and_column(
    folder: Path, old: str, new: str, at: str, says: str
) -> None:
    text, written = refusal(old, new)
    assert text.startswith(says)
    assert written.startswith(at)


def test_grants_are_refused_until_they_are_enforced(folder: Path) -> None:
    text, written = refusal('restart = "transient"', 'grants = [{ on = "net", do = ["read"] }]')
    assert "not enforced yet" in text
    assert written.startswith("grants")


def test_a_scenario_needs_a_tree_and_one_root(folder: Path) -> None:
    head = TEXT.partition("[tree]")[0].replace("dead_letters_to", "#")
    for text in (head, head + '[[tree]]\nid = "a"\nstrategy = "one_for_one"\n'):
        (folder / "scenario.toml").write_text(text)
        with pytest.raises(ScenarioError, match=r"there is no \[tree\] table"):
            load_scenario(folder)
    (folder / "scenario.toml").write_text(head + '[tree]\nid = "a"\nactor = "A"\n')
    with pytest.raises(ScenarioError, match=r"\[tree\] is the root supervisor and needs a strat"):
        load_scenario(folder)


def test_a_tree_of_more_actors_than_the_limit_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure.runtime.tree.SCENARIO_ACTORS_MAX", 5)
    assert refusal("readers = 2", "readers = 3")[0] == "the tree has more than 5 actors."


class Catalogue(Actor):
    folder: str
    readers: int
    path: list[str]


class Reader(Actor):
    number: int
    loud: bool


class Editor(Actor):
    pages: int = 0


def test_a_tree_whose_classes_are_there_and_take_their_init_is_accepted(folder: Path) -> None:
    classes = {"Catalogue": Catalogue, "Reader": Reader, "Editor": Editor}
    load_scenario(".").check_actors(classes)


def test_an_unknown_actor_class_is_refused_at_its_line(folder: Path) -> None:
    classes = {"Catalogue": Catalogue, "Readr": Reader, "Editor": Editor}
    with pytest.raises(ScenarioError) as caught:
        load_scenario(".").check_actors(classes)
    assert str(caught.value) == (
        "scenario.toml:39:1: /survey/readers/1: there is no actor class 'Reader'. "
        "Did you mean 'Readr'? actors.py has Catalogue, Editor, Readr."
    )


def test_actors_without_any_code_are_told_where_code_goes(folder: Path) -> None:
    scenario = changed('code = "actors.py"', "")
    with pytest.raises(ScenarioError, match=r'has no code: write code = "actors\.py"\.$'):
        scenario.check_actors({})


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ({"Reader": Editor}, "scenario.toml:40:1: /survey/readers/1: "),
        ({"Editor": Reader}, "scenario.toml:43:8: /survey/editor: "),
    ],
)
def test_an_init_that_the_class_does_not_take_is_refused_at_its_line(
    folder: Path, classes: dict[str, type[Actor]], says: str
) -> None:
    right = {"Catalogue": Catalogue, "Reader": Reader, "Editor": Editor}
    with pytest.raises(ScenarioError) as caught:
        load_scenario(".").check_actors(right | classes)
    assert str(caught.value).startswith(says)
    assert "number" in str(caught.value)
