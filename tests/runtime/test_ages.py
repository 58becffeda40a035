"""An age has a number and a unit."""

from __future__ import annotations

import pytest

from perdure.errors import UsageError
from perdure.runtime.ages import age


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "1y", "9999999999d"])
def test_an_age_has_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(UsageError, match="is no age"):
        age(text)
