"""Figures of many numbers in little room: quantiles within 2.5 %, and the error of a sum; pure."""

from __future__ import annotations

from math import log, sqrt

GROWTH = 1.05  # from one bucket to the next: a quantile is within half of that
BATCHES_MAX = 64  # kept of a series: past it, neighbours become one

_STEP = log(GROWTH)


class Sketch:
    """How long things took, in ns: their number, mean, greatest, and any quantile.

    >>> sketch = Sketch()
    >>> for ns in range(1, 1_001):
    ...     sketch.add(ns)
    >>> sketch.count, sketch.mean, sketch.most, 475 < sketch.quantile(0.5) < 525
    (1000, 500.5, 1000, True)
    """

    __slots__ = ("_buckets", "count", "most", "total")

    def __init__(self) -> None:
        self.count = self.total = self.most = 0
        self._buckets: dict[int, int] = {}

    def add(self, ns: int) -> None:
        """Take one more; less than nothing counts as nothing."""
        ns = max(ns, 0)
        self.count += 1
        self.total += ns
        self.most = max(self.most, ns)
        bucket = int(log(ns) / _STEP) if ns else -1
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    @property
    def mean(self) -> float:
        """The mean; 0 of none."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """What that share of them is not above; 0 of none."""
        left = share * self.count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                middle = GROWTH ** (bucket + 0.5) if bucket >= 0 else 0.0
                return min(middle, float(self.most))
        return float(self.most)


class Series:
    """A sum of many terms, one like the next, and how far it may be off by chance.

    The error is from the means of batches of neighbours, so that terms may depend on those near
    them: what waits behind a long turn waits long too.

    >>> series = Series()
    >>> for term in (1.0, -1.0) * 500:
    ...     series.add(term)
    >>> series.count, series.total, series.error < 100
    (1000, 0.0, True)
    """

    __slots__ = ("_batches", "_in_last", "_size", "count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self._batches: list[float] = []
        self._size = 1  # terms of a batch
        self._in_last = 0

    def add(self, term: float) -> None:
        """Take the next term."""
        self.count += 1
        self.total += term
        if not self._batches or self._in_last == self._size:
            if len(self._batches) == BATCHES_MAX:
                pairs = zip(self._batches[::2], self._batches[1::2], strict=True)
                self._batches = [one + two for one, two in pairs]
                self._size *= 2
            self._batches.append(0.0)
            self._in_last = 0
        self._batches[-1] += term
        self._in_last += 1

    @property
    def error(self) -> float:
        """Two standard errors of the sum; 0 of less than two batches."""
        full = self._batches[: len(self._batches) - (self._in_last < self._size)]
        if len(full) < 2:
            return 0.0
        mean = sum(full) / len(full)
        variance = sum((each - mean) ** 2 for each in full) / (len(full) - 1)
        return 2.0 * sqrt(variance * self.count / self._size)
