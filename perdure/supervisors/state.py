"""What a supervisor knows between two of its turns: its flags, its children, its phase; as data.

Everything here is immutable. Phases are where OTP's supervisor would be blocked: each waits for one
child, or for all of a pool, and says (`why`) what comes after it, so that a resumed supervisor goes
on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from perdure.mailbox.control import Reason
from perdure.mailbox.envelope import ReplyTo
from perdure.supervisors.checks import POOLS
from perdure.supervisors.entry import Entry
from perdure.supervisors.pools import Instances
from perdure.supervisors.restarts import Window
from perdure.supervisors.shelves import Shelves
from perdure.supervisors.siblings import Siblings
from perdure.supervisors.spec import SupervisorSpec


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


@dataclass(frozen=True, slots=True)
class Badly:
    """So many children of a pool, of one spec, that did not stop well, for one `reason`."""

    spec: str
    reason: Reason
    count: int = 1


@dataclass(frozen=True, slots=True)
class Emptying:
    """Waits for all children of a pool, which stop at once; then the supervisor ends."""

    why: Ending
    errors: tuple[Badly, ...] = ()


Phase = Down | Idle | Starting | Stopping | Emptying


@dataclass(frozen=True, slots=True)
class Supervision:
    """The state of one supervisor. A new one is down until it gets `Begin`.

    `children` is in start order. Nothing writes to it: each change is a new one. A pool's are
    numbered: `numbered` is the last number given, and no later life gives one again; `starts`
    counts their starts.

    >>> Supervision().phase
    Down(reason=None)
    """

    strategy: str = "one_for_one"
    intensity: int = 0
    period: float = 1.0
    auto_shutdown: str = "never"
    children_max: int | None = None
    numbered: int = 0
    starts: int = 0
    template: Entry | None = None  # of simple_one_for_one
    children: Mapping[str, Entry] = field(default_factory=dict)
    restarts: Window = ()
    phase: Phase = field(default_factory=Down)

    @property
    def is_pool(self) -> bool:
        """Whether its children are numbered, in no order, and go when they end."""
        return self.strategy in POOLS

    def begun(self, spec: SupervisorSpec) -> Supervision:
        """The state of a new incarnation: nothing is left but the incarnations of `lasting`."""
        lasting = self.lasting(spec)
        entries = [Entry.of(child, lasting.get(child.id, 0)) for child in spec.children]
        begun = Supervision(numbered=self.numbered).flagged(spec)
        if begun.is_pool:
            return begun.with_template(entries).with_children(Instances())
        return begun.with_children(Siblings.of({entry.id: entry for entry in entries}))

    def flagged(self, spec: SupervisorSpec) -> Supervision:
        """With the flags of a spec."""
        return replace(
            self,
            strategy=spec.strategy,
            intensity=spec.intensity,
            period=spec.period,
            auto_shutdown=spec.auto_shutdown,
            children_max=spec.children_max,
        )

    def with_template(self, entries: Sequence[Entry]) -> Supervision:
        """With the only one of those entries as the template; under dynamic there is none."""
        return replace(self, template=entries[0] if entries else None)

    def with_children(
        self, children: Mapping[str, Entry], phase: Phase | None = None
    ) -> Supervision:
        """With other children, in that phase or in the same; each fall asks for a few."""
        return Supervision(
            self.strategy, self.intensity, self.period, self.auto_shutdown, self.children_max,
            self.numbered, self.starts, self.template, children, self.restarts, phase or self.phase,
        )  # fmt: skip

    def lasting(self, spec: SupervisorSpec) -> dict[str, int]:
        """The children whose actors live on in a new incarnation, and their incarnations.

        They are those that the specs still name, but for temporary ones, which end with a life, and
        a pool's.
        """
        if self.is_pool or spec.strategy in POOLS:
            return {}
        named = {child.id for child in spec.children if child.restart != "temporary"}
        return {
            entry.id: entry.incarnation
            for entry in self.children.values()
            if entry.id in named and entry.spec.restart != "temporary"
        }

    @property
    def owes(self) -> ReplyTo | None:
        """Who waits for the answer to a request that the phase carries out."""
        match self.phase:
            case Starting(why=StartCall(caller=caller)) | Stopping(why=StopCall(caller=caller)):
                return caller
            case _:
                return None

    def at(self, phase: Phase) -> Supervision:
        """The same supervisor in another phase."""
        return self.with_children(self.children, phase)

    def with_entry(self, entry: Entry, phase: Phase | None = None) -> Supervision:
        """With that child's entry changed, or added last; in that phase or in the same."""
        return self.with_children(self._shelves.with_entry(entry), phase)

    def without(self, child: str) -> Supervision:
        """Without that child's entry."""
        return self.with_children(self._shelves.without(child))

    @property
    def _shelves(self) -> Shelves:
        """The children, so that changing one is cheap."""
        return self.children if isinstance(self.children, Shelves) else Siblings.of(self.children)

    def numbering(self, entry: Entry) -> tuple[Supervision, Entry]:
        """With that entry added under the next number."""
        numbered = replace(self, numbered=self.numbered + 1)
        entry = replace(entry, id=str(numbered.numbered))
        return numbered.with_entry(entry), entry

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
            case Restart(trigger=trigger) if self.strategy == "one_for_one" or self.is_pool:
                return [trigger]
            case Restart(trigger=trigger) if self.strategy == "rest_for_one":
                ids = list(self.children)
                return ids[ids.index(trigger) :]
            case Init() | Restart() | Ending() | Aborting():
                return list(self.children)
