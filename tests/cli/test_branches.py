"""The tree in lines: joints, columns, and siblings that are alike made one line."""

from __future__ import annotations

import click

from perdure.cli.branches import node_form, tree_lines
from perdure.runtime.family import Node
from perdure.supervisors.state import Supervision

NS = 1_000_000_000


def node(address: str, *children: Node, supervisor: bool = False, **fields: object) -> Node:
    values: dict[str, object] = {
        "class_name": "Reader",
        "parent": 0,
        "life": "running",
        "incarnation": 1,
        "turns": 2,
        "crashes": 0,
        "restarts": 0,
        "waiting": 0,
        "reason": "",
    }
    made = Node(hash(address), address, **(values | fields))  # type: ignore[arg-type]
    made.children = list(children)
    if supervisor:
        made.supervision = Supervision("one_for_all", 20, 5.0, restarts=((3, 1), (9, 2)))
    return made


def shown(root: Node, now_ns: int = 10 * NS, *, whole: bool = False) -> list[str]:
    return [click.unstyle(line) for line in tree_lines([root], now_ns, whole=whole)]


def test_the_tree_has_joints_and_columns() -> None:
    readers = node("/s/readers", node("/s/readers/1"), node("/s/readers/2"), supervisor=True)
    root = node("/s", node("/s/list", turns=1), readers, node("/s/end"), supervisor=True)
    assert shown(root) == [
        "  /s           one_for_all   running",
        "  ├─ list      Reader        1 turn",
        "  ├─ readers   one_for_all   running",
        "  │  ├─ 1      Reader        2 turns",
        "  │  └─ 2      Reader        2 turns",
        "  └─ end       Reader        2 turns",
    ]


def test_a_supervisor_says_which_restarts_count() -> None:
    root = node("/s", node("/s/a", restarts=3, incarnation=4), supervisor=True)
    first, second = shown(root)
    assert first.endswith("one_for_all   3 restarts, 2 counted of 20 allowed in 5 s")
    assert second.endswith("2 turns   incarnation 4")
    assert "0 counted" in shown(root, 60 * NS)[0]


def test_an_actor_says_what_waits_and_why_it_is_down() -> None:
    (line,) = shown(node("/a", life="down", reason="ValueError: no\n", waiting=12, turns=1))
    assert line == "  /a   Reader   1 turn   12 waiting   down: ValueError: no"


def test_what_else_there_is_to_say_is_in_a_column() -> None:
    root = node("/s", node("/s/a", turns=1, waiting=1), node("/s/b", turns=999, waiting=1))
    assert len({line.index("1 waiting") for line in shown(root)[1:]}) == 1


def test_many_that_are_alike_become_one_line() -> None:
    many = [node(f"/s/{n}", turns=10, restarts=n % 2, waiting=1) for n in range(1_000)]
    lines = shown(node("/s", *many, node("/s/last", class_name="Editor"), supervisor=True))
    assert len(lines) == 6
    assert lines[1].startswith("  ├─ 0 ")
    assert "├─ … 997 more   Reader" in lines[4]
    assert lines[4].endswith("9,970 turns   499 restarts   997 waiting")
    assert "└─ last" in lines[5]


def test_those_that_do_not_run_are_shown_among_many() -> None:
    many = [node(f"/s/{n}") for n in range(20)]
    many[15].life = "stopped"
    lines = shown(node("/s", *many))
    assert any("├─ 15" in line and line.endswith("stopped") for line in lines)
    assert "… 16 more" in lines[-1]


def test_more_that_do_not_run_than_are_shown_are_counted() -> None:
    lines = shown(node("/s", *(node(f"/s/{n}", life="down") for n in range(20))))
    assert "… 12 more" in lines[-1]
    assert lines[-1].endswith("12 not running")


def test_the_whole_tree_hides_nothing() -> None:
    many = [node(f"/s/{n}", life="ended") for n in range(20)]
    assert len(shown(node("/s", *many))) == 1
    assert len(shown(node("/s", *many), whole=True)) == 21


def test_a_supervisor_with_children_is_never_made_one_of_many() -> None:
    many = [node(f"/s/{n}", node(f"/s/{n}/a"), supervisor=True) for n in range(20)]
    assert len(shown(node("/s", *many))) == 41


def test_nothing_was_born_yet() -> None:
    assert tree_lines([], 0) == []


def test_a_node_has_a_form_for_json() -> None:
    form = node_form(node("/s", node("/s/a"), supervisor=True), 10 * NS)
    assert (form["strategy"], form["counted"]) == ("one_for_all", 2)
    assert [child["address"] for child in form["children"]] == ["/s/a"]
