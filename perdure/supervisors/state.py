"""What a supervisor knows between two of its turns: its flags, its children, its phase; as data.

Everything here is immutable. Phases are where OTP's supervisor would be blocked: each waits for one
child, and says (`why`) what comes after it, so that a resumed supervisor goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from perdure.mailbox.control import Reason
from perdure.mailbox.envelope import ReplyTo
from perdure.supervisors.restarts import Window
from perdure.supervisors.spec import Child, SupervisorSpec

Status = Literal["undefined", "running", "restarting"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A child as its supervisor sees it. `restarting`: its last restart failed, one is queued."""

    id: str
    restart: str
    shutdown: float | str
    significant: bool
    supervisor: bool
    status: Status = "undefined"
    incarnation: int = 0  # of its last start

    @property
    def is_running(self) -> bool:
        """Whether it has a life that nobody has seen end."""
        return self.status == "running"

    @classmethod
    def of(cls, child: Child, incarnation: int = 0) -> Entry:
        """The entry of a spec, with no process yet."""
        return cls(
            child.id,
            child.restart,
            child.shutdown,
            child.significant,
            child.is_supervisor,
            "undefined",
            incarnation,
        )


@dataclass(frozen=True, slots=True)
class Init:
    """Why: the supervisor's own start."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Why: the strategy, applied to `trigger`."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Ending:
    """Why: the supervisor ends with `reason`, because its parent `asked` or on its own accord."""

    reason: Reason
    asked: bool


@dataclass(frozen=True, slots=True)
class Aborting:
    """Why: a child failed in the supervisor's own start."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class StartCall:
    """Why: an API call starts `child`; if it is `new`, its spec goes when that fails."""

    child: str
    new: bool
    caller: ReplyTo | None


@dataclass(frozen=True, slots=True)
class StopCall:
    """Why: an API call stops `child`."""

    child: str
    caller: ReplyTo | None


StartWhy = Init | Restart | StartCall
StopWhy = Restart | Ending | Aborting | StopCall


@dataclass(frozen=True, slots=True)
class Down:
    """No life: not begun yet, or over with `reason`."""

    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing in flight: takes whatever comes."""


@dataclass(frozen=True, slots=True)
class Starting:
    """Waits for `child` to start; after it come those later in the scope of `why`."""

    child: str
    why: StartWhy


@dataclass(frozen=True, slots=True)
class Stopping:
    """Waits for `child` to stop; after it come those earlier in the scope of `why`."""

    child: str
    why: StopWhy


Phase = Down | Idle | Starting | Stopping


@dataclass(frozen=True, slots=True)
class Supervision:
    """The state of one supervisor. A new one is down until it gets `Begin`.

    `children` is in start order. Nothing writes to it: each change is a new one.

    >>> Supervision().phase
    Down(reason=None)
    """

    strategy: str = "one_for_one"
    intensity: int = 0
    period: float = 1.0
    auto_shutdown: str = "never"
    children: Mapping[str, Entry] = field(default_factory=dict)
    restarts: Window = ()
    phase: Phase = field(default_factory=Down)

    def begun(self, spec: SupervisorSpec) -> Supervision:
        """The state of a new incarnation: nothing is left but the incarnations of `lasting`."""
        lasting = self.lasting(spec)
        children = {child.id: Entry.of(child, lasting.get(child.id, 0)) for child in spec.children}
        return Supervision(spec.strategy, spec.intensity, spec.period, spec.auto_shutdown, children)

    def lasting(self, spec: SupervisorSpec) -> dict[str, int]:
        """The children whose actors live on in a new incarnation, and their incarnations.

        They are those that the specs still name, but for temporary ones, which end with a life.
        """
        named = {child.id for child in spec.children if child.restart != "temporary"}
        return {
            entry.id: entry.incarnation
            for entry in self.children.values()
            if entry.id in named and entry.restart != "temporary"
        }

    def at(self, phase: Phase) -> Supervision:
        """The same supervisor in another phase."""
        return replace(self, phase=phase)

    def with_entry(self, entry: Entry) -> Supervision:
        """With that child's entry changed, or added last."""
        return replace(self, children={**self.children, entry.id: entry})

    def without(self, child: str) -> Supervision:
        """Without that child's entry."""
        return replace(
            self, children={id: entry for id, entry in self.children.items() if id != child}
        )

    def entry_of(self, child: str, incarnation: int) -> Entry | None:
        """The running entry of that very incarnation; None for any other, which is stale."""
        entry = self.children.get(child)
        if entry is None or not entry.is_running or entry.incarnation != incarnation:
            return None
        return entry

    def scope(self, why: StartWhy | StopWhy) -> list[str]:
        """The children that a phase goes through, in start order."""
        match why:
            case StartCall(child=child) | StopCall(child=child):
                return [child]
            case Restart(trigger=trigger) if self.strategy == "one_for_one":
                return [trigger]
            case Restart(trigger=trigger) if self.strategy == "rest_for_one":
                ids = list(self.children)
                return ids[ids.index(trigger) :]
            case Init() | Restart() | Ending() | Aborting():
                return list(self.children)
