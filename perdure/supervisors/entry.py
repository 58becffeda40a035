"""A child as its supervisor sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from perdure.supervisors.spec import Child

Status = Literal["undefined", "running", "restarting"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A child: `id` names it, `spec` says what it is; in a pool many have one spec, or one id.

    `extras` are what its actor begins with over the `init` of its spec. It is None for a temporary
    child that was added and runs: it is never started again. `restarting`: its last restart failed,
    another is queued.
    """

    id: str
    spec: Child
    extras: Mapping[str, Any] | None = field(default_factory=dict)
    status: Status = "undefined"
    incarnation: int = 0  # of its last start
    place: int = 0  # of that start among all of its pool

    @property
    def is_running(self) -> bool:
        """Whether it has a life that nobody has seen end."""
        return self.status == "running"

    @property
    def init(self) -> Mapping[str, Any]:
        """What its actor begins with."""
        return {**self.spec.init, **self.extras} if self.extras else self.spec.init

    @classmethod
    def of(cls, spec: Child, incarnation: int = 0) -> Entry:
        """The entry of a spec, with no process yet."""
        return cls(spec.id, spec, {}, "undefined", incarnation)

    def to(self, status: Status) -> Entry:
        """The same child in another status."""
        return Entry(self.id, self.spec, self.extras, status, self.incarnation, self.place)

    def next_life(self) -> Entry:
        """The same child, about to be started once more."""
        lives = self.incarnation + 1
        return Entry(self.id, self.spec, self.extras, "undefined", lives, self.place)

    def added(self, *, of_template: bool) -> Entry:
        """A child that was added and now runs: nobody asks again what a temporary one began with.

        The spec of a template is that of others too, and stays as it is.
        """
        if self.spec.restart != "temporary":
            return self.to("running")
        spec = self.spec if of_template else self.spec.without_init()
        return replace(self, spec=spec, extras=None, status="running")
