"""What users test their actors with: time that tests move, scripted tools, crashes everywhere.

Names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.clock import FakeClock
    from perdure.testing.everywhere import crash_everywhere
    from perdure.testing.probes import Probe
    from perdure.testing.report import CrashReport, Problem
    from perdure.testing.scripts import Scripted, scripted, slow
    from perdure.testing.trial import Trial

__all__ = [
    "CrashReport",
    "FakeClock",
    "Probe",
    "Problem",
    "Scripted",
    "Trial",
    "crash_everywhere",
    "scripted",
    "slow",
]

_HOMES = {
    "CrashReport": "perdure.testing.report",
    "FakeClock": "perdure.clock",
    "Probe": "perdure.testing.probes",
    "Problem": "perdure.testing.report",
    "Scripted": "perdure.testing.scripts",
    "Trial": "perdure.testing.trial",
    "crash_everywhere": "perdure.testing.everywhere",
    "scripted": "perdure.testing.scripts",
    "slow": "perdure.testing.scripts",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'perdure.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
