"""What a spec's fields may be: one function per field and per bad pair. Each returns the value as
it is stored, or raises `UsageError` that names the field, what it got and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from perdure.errors import UsageError
from perdure.ids import check_name
from perdure.supervisors.refusals import BadSpec, bad_combination, missing, refusal, unknown_key

POOLS = ("simple_one_for_one", "dynamic")
ORDINARY = ("one_for_one", "one_for_all", "rest_for_one")
STRATEGIES = (*ORDINARY, *POOLS)
TYPES = ("worker", "supervisor")
RESTARTS = ("permanent", "transient", "temporary")
AUTO_SHUTDOWNS = ("never", "any_significant", "all_significant")
REDELIVERIES = ("retry", "none")
SHUTDOWN_WORDS = ("infinity", "brutal_kill")


def _choice(who: str, field: str, value: object, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    raise refusal(who, field, value, ", ".join(repr(choice) for choice in choices))


def _whole(who: str, field: str, value: object, least: int) -> int:
    if type(value) is int and value >= least:
        return value
    raise refusal(who, field, value, f"whole numbers from {least}")


def number(who: str, field: str, value: object, least: float, allowed: str) -> float:
    if type(value) in (int, float) and least <= float(value) < math.inf:  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    raise refusal(who, field, value, allowed)


def strategy(who: str, value: object) -> str:
    return _choice(who, "strategy", value, STRATEGIES)


def intensity(who: str, value: object) -> int:
    return _whole(who, "intensity", value, 0)


def period(who: str, value: object) -> float:
    allowed = "seconds greater than 0"
    seconds = number(who, "period", value, 0.0, allowed)
    if seconds == 0.0:
        raise refusal(who, "period", value, allowed)
    return seconds


def auto_shutdown(who: str, value: object) -> str:
    return _choice(who, "auto_shutdown", value, AUTO_SHUTDOWNS)


def children_max(who: str, value: object) -> int | None:
    return None if value is None else _whole(who, "children_max", value, 0)


def child_id(who: str, value: object) -> str:
    allowed = "text that can be one segment of an address"
    if value is None:
        raise missing(who, "id", "missing_id", allowed)
    if not isinstance(value, str):
        raise refusal(who, "id", value, allowed)
    try:
        return check_name(value)
    except UsageError as error:
        raise BadSpec(str(error), ("invalid_id", value)) from None


def actor(who: str, value: object) -> type[Any] | str:
    if value is None:
        allowed = "an Actor class or the registered name of one"
        raise missing(who, "actor", "missing_start", allowed)
    if isinstance(value, type) or (isinstance(value, str) and value):
        return value
    raise refusal(who, "actor", value, "an Actor class or the registered name of one")


def init(who: str, value: object) -> dict[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return dict(value)
    raise refusal(who, "init", value, "a dict of field names to values")


def restart(who: str, value: object) -> str:
    return _choice(who, "restart", value, RESTARTS)


def child_type(who: str, value: object) -> str:
    return _choice(who, "type", value, TYPES)


def modules(who: str, value: Any) -> tuple[str, ...] | str | None:
    allowed = "'dynamic', a list of names of modules"
    if value is None or value == "dynamic":
        return None if value is None else "dynamic"
    if not isinstance(value, list | tuple):
        raise refusal(who, "modules", value, allowed)
    for name in value:
        if not isinstance(name, str):
            raise BadSpec(
                f"{who}: a module is {name!r}. Allowed: {allowed}.", ("invalid_module", name)
            )
    return tuple(value)


def shutdown(who: str, value: object) -> float | str:
    if isinstance(value, str) and value in SHUTDOWN_WORDS:
        return value
    return number(who, "shutdown", value, 0.0, "seconds from 0, 'infinity', 'brutal_kill'")


def significant(who: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise refusal(who, "significant", value, "True, False")


def redelivery(who: str, value: object) -> str:
    return _choice(who, "redelivery", value, REDELIVERIES)


def attempts_max(who: str, value: object) -> int:
    return _whole(who, "attempts_max", value, 1)


def backoff(who: str, value: object, kind: type[Any]) -> Any:
    if isinstance(value, kind):
        return value
    raise refusal(who, "backoff", value, "a Backoff, like Backoff(first=0.01, factor=2.0, max=1.0)")


def restore(who: str, value: object) -> tuple[str, ...]:
    allowed = "['committed'], then 'mark:NAME' rungs, 'fresh', and 'supervisor'; each once"
    if not isinstance(value, list | tuple):
        raise refusal(who, "restore", value, allowed)
    marks = [rung for rung in value if isinstance(rung, str) and rung.startswith("mark:")]
    for mark in marks:
        check_name(mark.removeprefix("mark:"))
    last = [rung for rung in ("fresh", "supervisor") if rung in value]
    if list(value) != ["committed", *dict.fromkeys(marks), *last]:
        raise refusal(who, "restore", list(value), allowed)
    return tuple(value)


def restore_and_supervisor(who: str, rungs: tuple[str, ...], is_supervisor: bool) -> None:
    if is_supervisor and rungs != ("committed",):
        raise UsageError(
            f"{who}: restore is {list(rungs)}, and a supervisor is never set back: it would lose "
            "its children. Give its children their own."
        )


def restore_after(who: str, value: object) -> int:
    return _whole(who, "restore_after", value, 1)


def grants(who: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise refusal(who, "grants", value, "an empty list")
    if value:
        raise refusal(who, "grants", list(value), "an empty list: grants are not enforced yet")
    return ()


def budget(who: str, value: object) -> None:
    if value is not None:
        raise refusal(
            who,
            "budget",
            value,
            "None: a child's budget is not enforced yet, the run's [budget] is",
        )


def deadline(who: str, value: object) -> float | None:
    if value is None:
        return None
    seconds = number(who, "deadline", value, 0.0, "seconds greater than 0, or None")
    if seconds == 0.0:
        raise refusal(who, "deadline", value, "seconds greater than 0, or None")
    return seconds


def breaker(who: str, value: object) -> int | None:
    return None if value is None else _whole(who, "breaker", value, 1)


def supervisor(who: str, value: object, kind: type[Any]) -> Any:
    if value is None or isinstance(value, kind):
        return value
    raise refusal(who, "supervisor", value, "None, a SupervisorSpec")


def children(who: str, value: object, kind: type[Any]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise refusal(who, "children", value, "a list of Child")
    for child in value:
        if not isinstance(child, kind):
            raise refusal(who, "children", child, "Child objects only")
    return tuple(value)


def unique_id(who: str, name: str, seen: set[str]) -> None:
    """No two children of one supervisor share an id; `seen` gets this one."""
    if name in seen:
        text = f"{who}: two children have the id {name!r}. Give one another id."
        raise BadSpec(text, ("duplicate_child_name", name))
    seen.add(name)


def children_of_pool(who: str, strategy: str, given: Sequence[Any]) -> None:
    """A simple_one_for_one supervisor has its template; a dynamic one begins without children."""
    if strategy == "simple_one_for_one" and len(given) != 1:
        raise BadSpec(
            f"{who}: strategy is 'simple_one_for_one' and it has {len(given)} children. "
            "Give it exactly one: the template of all.",
            ("bad_start_spec", list(given)),
            "",
        )
    if strategy == "dynamic" and given:
        raise BadSpec(
            f"{who}: strategy is 'dynamic' and it has {len(given)} children. It begins without "
            "any: each comes with StartChild.",
            ("bad_start_spec", list(given)),
            "",
        )


def children_max_and_strategy(who: str, maximum: int | None, strategy: str) -> None:
    """Only a dynamic supervisor counts its children."""
    if maximum is not None and strategy != "dynamic":
        raise refusal(who, "children_max", maximum, f"None, as strategy is {strategy!r}")


def significance(who: str, significant: bool, restart: str, auto_shutdown: str | None) -> None:
    """Who looks at a child's end, and whether it ever ends for good; as OTP, in this order.

    `auto_shutdown` is that of its supervisor, None while nobody knows.
    """
    if significant and auto_shutdown == "never":
        raise bad_combination(
            f"{who}: significant is True and its supervisor's auto_shutdown is 'never'. "
            "Set auto_shutdown to 'any_significant' or 'all_significant', or drop significant.",
            ("auto_shutdown", "never"),
            ("significant", True),
        )
    if significant and restart == "permanent":
        raise bad_combination(
            f"{who}: significant is True and restart is 'permanent', which never ends for good. "
            "Allowed with significant: 'transient', 'temporary'.",
            ("restart", "permanent"),
            ("significant", True),
        )


def type_and_supervisor(who: str, kind: str, has_supervisor: bool) -> None:
    """A supervisor given as data is one."""
    if has_supervisor and kind != "supervisor":
        raise refusal(who, "type", kind, "'supervisor', as supervisor is given")


def check_all(
    who: str, values: Mapping[str, object], checks: Mapping[str, Callable[[str, Any], Any]]
) -> dict[str, Any]:
    """Every field's stored value, each by the check of its name."""
    return {name: check(who, values[name]) for name, check in checks.items()}


def known_keys(who: str, data: object, allowed: Iterable[str]) -> dict[str, Any]:
    """`data` as keyword arguments, if it is a dict of allowed keys."""
    names = tuple(allowed)
    if not isinstance(data, Mapping):
        raise refusal(who, "data", data, f"a dict with the keys {', '.join(names)}")
    for name in data:
        if name not in names:
            raise unknown_key(who, name, names)
    return dict(data)
