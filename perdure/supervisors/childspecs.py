"""`check_childspecs`: whether specs could be a supervisor's children, as OTP tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.supervisors.checks import AUTO_SHUTDOWNS
from perdure.supervisors.refusals import BadSpec
from perdure.supervisors.spec import Child, checked_children


def check_childspecs(
    specs: Sequence[Child | Mapping[str, Any]], auto_shutdown: str | None = None
) -> None:
    """Raise `BadSpec` unless these could be the children of one supervisor.

    With `auto_shutdown` it checks too that their `significant` goes with that one.

    >>> check_childspecs([Child("a", "Worker"), {"id": "b", "actor": "Worker"}])
    >>> try:
    ...     check_childspecs([Child("a", "Worker"), Child("a", "Worker")])
    ... except BadSpec as error:
    ...     print(error.why)
    ('duplicate_child_name', 'a')
    """
    if not isinstance(specs, list | tuple):
        raise BadSpec(
            f"child specs are {specs!r}. Allowed: a list of Child, or of their data.",
            ("badarg", specs),
        )
    if auto_shutdown is not None and auto_shutdown not in AUTO_SHUTDOWNS:
        raise BadSpec(
            f"auto_shutdown is {auto_shutdown!r}. Allowed: {', '.join(map(repr, AUTO_SHUTDOWNS))}.",
            ("badarg", auto_shutdown),
        )
    checked_children(specs, auto_shutdown)
