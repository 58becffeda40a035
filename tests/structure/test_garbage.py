"""What work leaves behind is gone when the last who knows it lets go of it.

A search for garbage stops everything while it lasts, the longer the more there is.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from perdure.simulation.disk import Platter, at_once, open_platter
from tests.structure.stage import Stage
from tests.structure.workloads import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_work_leaves_anything_that_only_a_search_for_garbage_finds(name: str) -> None:
    found: list[int] = []

    @contextmanager
    def search() -> Iterator[None]:
        gc.collect()
        yield
        found.append(gc.collect())

    Stage(name, open_platter(Platter(), at_once())).play(search())
    assert found == [0]
