"""The modules of a scenario, loaded by location: `scenarios/` is no package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def load(scenario: str, name: str) -> ModuleType:
    """The module `name` of `scenario`, with its folder importable as it is in a run.

    `actors` gets a name of its own, since each scenario has one.
    """
    folder = SCENARIOS / scenario
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if name != "actors":
        return importlib.import_module(name)
    unique = f"{scenario}_actors"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, folder / "actors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    spec.loader.exec_module(module)
    return module
