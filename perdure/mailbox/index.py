"""The order of the ready set: the c-mu rule as a pure function.

Among ready messages, serve the one with the greatest holding cost per expected second of service:
it minimises the expected weighted completion time on one server without preemption (Cox and Smith,
Queues, 1961).
"""

from __future__ import annotations

QOS_COST = {"interactive": 100.0, "initiated": 10.0, "utility": 3.0, "background": 1.0}
"""Holding cost c of each class of service, for messages that name none."""

COST_DEFAULT = QOS_COST["utility"]
SERVICE_SECONDS_PRIOR = 0.001
SERVICE_SECONDS_MIN = 0.001
"""Shorter turns count as this long: below it, differences are noise, and arrival decides."""


def cmu(cost: float, service_seconds: float) -> float:
    """The index of a message: holding cost per second of expected service; greatest first.

    >>> cmu(10.0, 0.5)
    20.0
    """
    return cost / max(service_seconds, SERVICE_SECONDS_MIN)


def holding_cost(cost: float | None, qos: str | None) -> float:
    """c of a message as its sender said it. Raises `ValueError` for c <= 0 or an unknown class."""
    if cost is not None:
        if not cost > 0:
            raise ValueError(f"a holding cost is greater than 0, not {cost!r}.")
        return float(cost)
    if qos is None:
        return COST_DEFAULT
    if qos not in QOS_COST:
        raise ValueError(f"qos={qos!r} is no class of service; use one of {', '.join(QOS_COST)}.")
    return QOS_COST[qos]
