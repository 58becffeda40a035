"""Family: rows of actors become the tree that people look at."""

from __future__ import annotations

from perdure.actors.lives import IMPLICIT
from perdure.ledger.records import Life
from perdure.ledger.rows import ActorRow, StateRow
from perdure.ledger.values import Codec
from perdure.runtime.family import SPAWNED, Node, family

CODEC = Codec()


def node(id: int, parent: int, class_name: str = "Reader", state: StateRow | None = None) -> Node:
    row = ActorRow(f"/{id}", class_name, 1, parent, {}, b"", 1, Life.RUNNING, 0, 0, 0, 0, "")
    return Node.of(id, row, state, 0, CODEC.decode)


def state(**fields: object) -> StateRow:
    images = {name: (CODEC.encode(value), []) for name, value in fields.items()}
    return StateRow(0, 1, bytes(16), images)


def test_the_implicit_supervisor_is_the_one_that_spawn_makes() -> None:
    assert SPAWNED == IMPLICIT


def test_children_are_below_their_parents_in_order_of_birth() -> None:
    (root,) = family([node(3, 0), node(5, 3), node(9, 5), node(7, 3)])
    assert [child.id for child in root.children] == [5, 7]
    assert [child.id for child in root.children[0].children] == [9]


def test_spawned_children_are_below_the_actor_that_spawned_them() -> None:
    (root,) = family([node(3, 0), node(4, 3, SPAWNED), node(5, 4)])
    assert [child.id for child in root.children] == [5]


def test_an_actor_of_a_user_with_fields_of_those_names_is_no_supervisor() -> None:
    odd = node(3, 0, state=state(supervision="tight", actors={}))
    assert (odd.supervision, odd.kind) == (None, "Reader")


def test_an_actor_that_is_no_supervisor_counts_no_restarts() -> None:
    assert node(3, 0).counted(0) == 0
