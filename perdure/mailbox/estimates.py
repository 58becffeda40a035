"""Expected service times, learned per (actor class, message type)."""

from __future__ import annotations

from perdure.limits import INDICES_MAX
from perdure.mailbox.index import SERVICE_SECONDS_MIN, SERVICE_SECONDS_PRIOR, cmu

WEIGHT = 0.1  # of the newest observation: the last ~20 turns count
REPUBLISH = 0.1  # relative move at which the published estimate follows the learned mean


class Estimates:
    """Learned means of service seconds, published only when they move by more than a tenth.

    Publishing in steps keeps the index of waiting messages steady between steps.

    >>> estimates = Estimates()
    >>> estimates.observe(("Reader", "Read"), 0.5)
    >>> estimates.seconds(("Reader", "Read"))
    0.5
    """

    __slots__ = ("_means", "indices", "published", "slow")

    def __init__(self) -> None:
        self._means: dict[tuple[str, str], float] = {}
        self.published: dict[tuple[str, str], float] = {}
        """E[S] by kind, as dispatch uses it."""
        self.indices: dict[tuple[str, str, float], float] = {}
        """What `index` said for (actor class, message type, cost) since the last publication."""

        self.slow: dict[str, set[str]] = {}
        """Message types by actor class whose published estimate is above the floor: their turns
        are to be observed. Classes without one are not here."""

    def observe(self, kind: tuple[str, str], seconds: float) -> None:
        """Learn from one turn."""
        if seconds < SERVICE_SECONDS_MIN and kind not in self._means:
            return  # as cheap as the prior says
        means = self._means
        mean = means.get(kind)
        means[kind] = mean = seconds if mean is None else mean + WEIGHT * (seconds - mean)
        published = self.published.get(kind)
        if published is None or abs(mean - published) > REPUBLISH * published:
            self.published[kind] = mean
            self.indices.clear()
            self._note(*kind, mean > SERVICE_SECONDS_MIN)

    def _note(self, actor_class: str, type: str, is_slow: bool) -> None:
        types = self.slow.setdefault(actor_class, set())
        (types.add if is_slow else types.discard)(type)
        if not types:
            del self.slow[actor_class]

    def index(self, kind: tuple[str, str], cost: float) -> float:
        """The index of a message of that kind and holding cost."""
        if len(self.indices) >= INDICES_MAX:
            self.indices.clear()
        index = self.indices[*kind, cost] = cmu(cost, self.seconds(kind))
        return index

    def seconds(self, kind: tuple[str, str]) -> float:
        """E[S] of that kind of turn; the prior before the first one."""
        return self.published.get(kind, SERVICE_SECONDS_PRIOR)
