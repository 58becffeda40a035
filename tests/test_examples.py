"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.sources import PACKAGE, sources

WITH_EXAMPLES = [s.module for s in sources(PACKAGE) if any(">>> " in line for line in s.lines)]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert (failed, tried > 0) == (0, True)
