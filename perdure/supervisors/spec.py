"""What a supervisor is told about its children, as data: `Child`, `SupervisorSpec`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

from perdure.limits import (
    ATTEMPTS_MAX,
    INTENSITY_DEFAULT,
    PERIOD_SECONDS_DEFAULT,
    SHUTDOWN_SECONDS_DEFAULT,
)
from perdure.supervisors import checks
from perdure.supervisors.backoff import Backoff
from perdure.supervisors.fields import fields_of, names_of, store

SUPERVISOR_ACTOR = "perdure.supervisor"
"""The registered actor class of a supervisor that is given as data."""

BY_KIND = "by kind"
"""A `type` or a `shutdown` that was left out: OTP's for a worker or for a supervisor."""


@dataclass(frozen=True, slots=True)
class Child:
    """One child of a supervisor: which actor, and what happens when it ends.

    `actor` is a class or the registered name of one; it may be left out when `supervisor` gives a
    supervisor as data. `shutdown` is seconds, "infinity" or "brutal_kill"; left out it is OTP's:
    5.0 for a worker, "infinity" for a supervisor. `type` is "worker" or "supervisor", which an
    actor class and a `supervisor` say themselves. `deadline` is how many seconds one attempt may
    take, waits for answers and sleeps left out; one that takes longer is a crash. `breaker` is how
    many crashes in a row, with no message handled in between, park the actor until
    `perdure clear`. Left out, there is no limit to either. Raises `UsageError` that names field
    and value.

    >>> reader = Child("reader", "Reader", restart="transient", shutdown=1)
    >>> reader.restart, reader.shutdown, reader.attempts_max
    ('transient', 1.0, 3)
    """

    id: str
    actor: type[Any] | str | None = None
    _: KW_ONLY
    init: Mapping[str, Any] = field(default_factory=dict)
    restart: str = "permanent"
    shutdown: float | str = BY_KIND
    significant: bool = False
    redelivery: str = "retry"
    attempts_max: int = ATTEMPTS_MAX
    backoff: Backoff = field(default=Backoff())
    deadline: float | None = None
    breaker: int | None = None
    restore: tuple[str, ...] = ("committed",)
    restore_after: int = ATTEMPTS_MAX
    grants: tuple[Any, ...] = ()
    budget: None = None
    supervisor: SupervisorSpec | None = None
    type: str = BY_KIND
    modules: tuple[str, ...] | str | None = None

    def __post_init__(self) -> None:
        store(self, _checked(fields_of(self), None))

    @property
    def is_supervisor(self) -> bool:
        """Whether the child is a supervisor."""
        return self.type == "supervisor"

    @property
    def shown_modules(self) -> list[str] | str:
        """The names of its modules, as a list of children shows them: its actor class's name."""
        if self.modules is None:
            return [self.actor_name]
        return self.modules if isinstance(self.modules, str) else list(self.modules)

    @property
    def actor_name(self) -> str:
        """The registered name of its actor class."""
        if isinstance(self.actor, str):
            return self.actor
        declared = getattr(self.actor, "__declaration__", None)
        return str(getattr(declared, "name", None) or getattr(self.actor, "__name__", self.actor))

    def without_init(self) -> Child:
        """The same spec, that no longer knows what its actor began with."""
        bare = copy(self)
        store(bare, {"init": {}})
        return bare

    def to_data(self) -> dict[str, Any]:
        """The spec as plain data, an actor class by its registered name.

        Values of `init` stay as they are: they must be encodable on their own.
        """
        return fields_of(self) | {
            "actor": self.actor_name,
            "init": dict(self.init),
            "backoff": self.backoff.to_data(),
            "restore": list(self.restore),
            "grants": list(self.grants),
            "supervisor": None if self.supervisor is None else self.supervisor.to_data(),
            "modules": list(self.modules) if isinstance(self.modules, tuple) else self.modules,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any], auto_shutdown: str | None = None) -> Child:
        """The child that `to_data` wrote; a key left out has its default. Raises `UsageError`.

        `auto_shutdown` is that of the supervisor that it is for, if that is known.
        """
        given = checks.known_keys(f"child {_name(data)!r}", data, names_of(cls))
        if "backoff" in given:
            given["backoff"] = Backoff.from_data(given["backoff"])
        if given.get("supervisor") is not None:
            given["supervisor"] = SupervisorSpec.from_data(given["supervisor"])
        if given.get("significant") is True and auto_shutdown is not None:
            _checked(_DEFAULTS | given, auto_shutdown)
        return cls(given.pop("id", None), given.pop("actor", None), **given)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor as data: how it restarts, how often it may, and its children in start order.

    At most `intensity` restarts in `period` seconds are made; one more ends the supervisor. Under
    simple_one_for_one the one child is the template of all. Under dynamic there is none at first,
    and there are never more than `children_max`.
    Defaults are OTP's. Raises `UsageError` that names field, value and choices.

    >>> SupervisorSpec(children=[Child("a", "Worker"), Child("b", "Worker")]).intensity
    1
    """

    strategy: str = "one_for_one"
    intensity: int = INTENSITY_DEFAULT
    period: float = PERIOD_SECONDS_DEFAULT
    auto_shutdown: str = "never"
    children_max: int | None = None
    children: tuple[Child, ...] | list[Child] = ()

    def __post_init__(self) -> None:
        store(self, _checked_flags(fields_of(self)))
        who, seen = "supervisor", set[str]()
        store(self, {"children": checks.children(who, self.children, Child)})
        checks.children_of_pool(who, self.strategy, self.children)
        for child in self.children:
            _check_among(child, self.auto_shutdown, seen)

    def to_data(self) -> dict[str, Any]:
        """The spec as plain data, with all of the tree below it."""
        return fields_of(self) | {"children": [child.to_data() for child in self.children]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> SupervisorSpec:
        """The spec that `to_data` wrote; a key left out has its default. Raises `UsageError`."""
        given = checks.known_keys("supervisor", data, names_of(cls))
        flags = _checked_flags({each.name: each.default for each in fields(cls)} | given)
        children = given.get("children")
        if isinstance(children, list | tuple):
            checks.children_of_pool("supervisor", flags["strategy"], children)
            given["children"] = checked_children(children, flags["auto_shutdown"])
        return cls(**given)


def checked_children(given: Iterable[Any], auto_shutdown: str | None) -> list[Child]:
    """The children of such data, or as they are, for a supervisor whose auto_shutdown that is."""
    children, seen = [], set[str]()
    for each in given:
        child = each if isinstance(each, Child) else Child.from_data(each, auto_shutdown)
        _check_among(child, auto_shutdown, seen)
        children.append(child)
    return children


def _check_among(child: Child, auto_shutdown: str | None, seen: set[str]) -> None:
    who = f"child {child.id!r}"
    checks.significance(who, child.significant, child.restart, auto_shutdown)
    checks.unique_id("supervisor", child.id, seen)


def _checked_flags(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = checks.check_all("supervisor", values, _SUPERVISOR_CHECKS)
    checks.children_max_and_strategy("supervisor", checked["children_max"], checked["strategy"])
    return checked


def _checked(given: Mapping[str, Any], auto_shutdown: str | None) -> dict[str, Any]:
    """A child's fields as they are stored: what was left out filled in, then each checked."""
    who = f"child {given['id']!r}"
    below = checks.supervisor(who, given["supervisor"], SupervisorSpec)
    values = dict(given)
    if below is not None and values["actor"] is None:
        values["actor"] = SUPERVISOR_ACTOR
    if values["type"] == BY_KIND:
        is_one = below is not None or getattr(values["actor"], "__supervisor__", False)
        values["type"] = "supervisor" if is_one else "worker"
    if values["shutdown"] == BY_KIND:
        is_one = values["type"] == "supervisor"
        values["shutdown"] = "infinity" if is_one else SHUTDOWN_SECONDS_DEFAULT
    for name, check in _CHILD_CHECKS.items():
        values[name] = check(who, values[name])
        if name == "significant":
            checks.significance(who, values["significant"], values["restart"], auto_shutdown)
    checks.type_and_supervisor(who, values["type"], below is not None)
    checks.backoff(who, values["backoff"], Backoff)
    checks.restore_and_supervisor(who, values["restore"], values["type"] == "supervisor")
    return values


_CHILD_CHECKS: dict[str, Callable[[str, Any], Any]] = {  # OTP's in its order, then perdure's
    "id": checks.child_id,
    "actor": checks.actor,
    "restart": checks.restart,
    "significant": checks.significant,
    "type": checks.child_type,
    "shutdown": checks.shutdown,
    "modules": checks.modules,
    "init": checks.init,
    "redelivery": checks.redelivery,
    "attempts_max": checks.attempts_max,
    "deadline": checks.deadline,
    "breaker": checks.breaker,
    "restore": checks.restore,
    "restore_after": checks.restore_after,
    "grants": checks.grants,
    "budget": checks.budget,
}
_SUPERVISOR_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "strategy": checks.strategy,
    "intensity": checks.intensity,
    "period": checks.period,
    "auto_shutdown": checks.auto_shutdown,
    "children_max": checks.children_max,
}


def _name(data: object) -> object:
    return data.get("id") if isinstance(data, Mapping) else data


_DEFAULTS = fields_of(Child("a", "A")) | {
    "id": None,
    "actor": None,
    "type": BY_KIND,
    "shutdown": BY_KIND,
}
