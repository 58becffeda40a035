"""The supervision tree of a scenario file: `[tree]` with settings and counts filled in; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from perdure.errors import UsageError
from perdure.ids import join
from perdure.limits import SCENARIO_ACTORS_MAX
from perdure.runtime import positions
from perdure.runtime.document import Document, Table
from perdure.runtime.settings import NUMBER, Setting, filled
from perdure.supervisors.backoff import Backoff
from perdure.supervisors.spec import Child, SupervisorSpec

T = TypeVar("T", Backoff, Child, SupervisorSpec)
Kinds = dict[str, tuple[str, ...]]  # of keys: what their values may be

_ANY: Kinds = {
    "restart": ("a string",),
    "shutdown": ("a string", "a number"),
    "significant": ("true or false",),
    "grants": ("an array",),
    "budget": ("a table",),
}
_ACTOR: Kinds = {
    "init": ("a table",),
    "redelivery": ("a string",),
    "attempts_max": ("an integer",),
    "deadline": ("a number",),
    "breaker": ("an integer",),
    "restore": ("an array",),
    "restore_after": ("an integer",),
}
_SUPERVISOR: Kinds = {
    "strategy": ("a string",),
    "intensity": ("an integer",),
    "period": ("a number",),
    "auto_shutdown": ("a string",),
    "children_max": ("an integer",),
}
_BACKOFF: Kinds = dict.fromkeys(("first", "factor", "max", "jitter"), ("a number",))
_ACTOR_KEYS = ("id", "actor", *_ACTOR, "backoff", "count", *_ANY)
_SUPERVISOR_KEYS = ("id", *_SUPERVISOR, "children", "count", *_ANY)


class Tree:
    """The tree of one scenario: the spec of its root, and where each address is written.

    `actors` maps each actor's address to the path of its table; `supervisors` does it for theirs.
    `templates` are the addresses of pools' templates, at which nobody ever lives.
    Raises `ScenarioError` at the first thing that is wrong.
    """

    def __init__(self, document: Document, settings: Mapping[str, Setting]) -> None:
        self.actors: dict[str, positions.Path] = {}
        self.supervisors: dict[str, positions.Path] = {}
        self.templates: list[str] = []
        self._document = document
        tree = document.values.get("tree")
        if tree is None or isinstance(tree, list):
            text = "there is no [tree] table: it is the root supervisor, which a scenario needs."
            raise document.error(("tree",), text)
        table = self._table(("tree",), settings)
        if "strategy" not in table:
            text = '[tree] is the root supervisor and needs a strategy, like "one_for_one".'
            raise table.error(None, text)
        if "count" in table:
            raise table.error("count", "there is one root: count is for what is below [tree].")
        self.root = self._child(table, "", settings)

    def __contains__(self, address: str) -> bool:
        return address in self.actors or address in self.supervisors

    def template_of(self, address: str) -> str | None:
        """The pool's template that this address is, or is below."""
        below = (each for each in self.templates if f"{address}/".startswith(f"{each}/"))
        return next(below, None)

    def _table(self, path: positions.Path, known: Mapping[str, Setting]) -> Table:
        """The table at `path`, as a supervisor's or an actor's, its keys checked."""
        fill = partial(filled, known=known)
        table = Table(self._document, path, "a child", None, fill)
        if _is_supervisor(table):
            return Table(self._document, path, "a supervisor", _SUPERVISOR_KEYS, fill)
        return Table(self._document, path, "an actor", _ACTOR_KEYS, fill)

    def _child(self, table: Table, above: str, known: Mapping[str, Setting]) -> Child:
        name = str(table.need("id", "a string", "an integer"))
        address = self._address(table, above, name)
        fields = _taken(table, _ANY)
        if _is_supervisor(table):
            table.need("strategy", "a string")
            self.supervisors[address] = table.path
            fields["supervisor"] = self._supervisor(table, address, known)
            return _built(table, Child, id=name, **fields)
        self.actors[address] = table.path
        fields |= _taken(table, _ACTOR)
        if "backoff" in table:
            fields["backoff"] = _backoff(table)
        return _built(table, Child, id=name, actor=table.need("actor", "a string"), **fields)

    def _address(self, table: Table, above: str, name: str) -> str:
        """The address of the child `name`: a good one, and taken by no other."""
        try:
            address = join(above, name)
        except UsageError as error:
            raise table.error("id", str(error)) from None
        if address in self:
            way = "put ${i} in its id." if "count" in table else "give one another id."
            raise table.error("id", f"two children of {above} have the id {name!r}: {way}")
        if len(self.actors) + len(self.supervisors) >= SCENARIO_ACTORS_MAX:
            raise table.error("count", f"the tree has more than {SCENARIO_ACTORS_MAX:,} actors.")
        return address

    def _supervisor(
        self, table: Table, address: str, known: Mapping[str, Setting]
    ) -> SupervisorSpec:
        children = [
            self._child(self._table(path, scope), address, scope)
            for path in table.tables("children")
            for scope in self._scopes(path, known)
        ]
        fields = _taken(table, _SUPERVISOR)
        if fields["strategy"] == "simple_one_for_one":
            self.templates += (join(address, child.id) for child in children)
        return _built(table, SupervisorSpec, children=tuple(children), **fields)

    def _scopes(
        self, path: positions.Path, known: Mapping[str, Setting]
    ) -> Iterator[Mapping[str, Setting]]:
        """What `${name}` finds in a child, once for each time that `count` makes it."""
        table = self._table(path, known)
        if "count" not in table:
            yield known
            return
        count = table.take("count", "an integer")
        if not 1 <= count <= SCENARIO_ACTORS_MAX:
            text = f"count is {count:,} and must be from 1 to {SCENARIO_ACTORS_MAX:,}."
            raise table.error("count", text)
        for number in range(1, count + 1):
            yield {**known, NUMBER: number}


def _is_supervisor(table: Table) -> bool:
    return "strategy" in table or "children" in table


def _taken(table: Table, kinds: Kinds) -> dict[str, Any]:
    """The values of those keys that are there, arrays as tuples."""
    found = {key: table.take(key, *kinds[key]) for key in kinds if key in table}
    return {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}


def _backoff(table: Table) -> Backoff:
    table.take("backoff", "a table")
    path = (*table.path, "backoff")
    inner = Table(table.document, path, "backoff", tuple(_BACKOFF), table.fill)
    return _built(inner, Backoff, **_taken(inner, _BACKOFF))


def _built(table: Table, spec: type[T], **fields: Any) -> T:
    """A spec of these fields; what it refuses is refused at the key of the table that says it."""
    try:
        return spec(**fields)
    except UsageError as error:
        table.blame(error)
