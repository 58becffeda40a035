from __future__ import annotations

import pytest

from perdure import Backoff, tool
from perdure.caps.tool import tool_of
from perdure.errors import DeclarationError, UsageError
from perdure.limits import BACKOFF_FIRST_SECONDS, STEP_RETRIES_MAX


def plain(text: str) -> int:
    return len(text)


@tool("text.count", effect="read", tokens=lambda text: len(text) // 4)
def count(text: str) -> int:
    """Count."""
    return len(text)


@tool("fs.write")
def write(path: str) -> None: ...


@tool("pay.transfer", effect="financial", idempotent=True, tokens=5)
def transfer(amount: int) -> None: ...


def test_a_tool_is_still_the_function_it_was() -> None:
    assert count("four") == 4
    assert count.__doc__ == "Count."


def test_a_tool_without_an_effect_class_is_the_most_dangerous_one() -> None:
    assert tool_of(write).effect == "admin"
    assert not tool_of(write).idempotent


def test_an_unknown_effect_class_is_refused_with_the_list() -> None:
    with pytest.raises(DeclarationError, match="read, reversible, irreversible, financial"):
        tool("x.y", effect="harmless")  # type: ignore[arg-type]


def test_a_plain_function_reads_costs_nothing_and_has_its_own_name() -> None:
    found = tool_of(plain)
    assert (found.name, found.effect, found.price(("text",), {})) == (
        f"{__name__}.plain",
        "read",
        0,
    )


def test_only_what_reads_or_is_idempotent_is_redone_when_in_doubt() -> None:
    assert tool_of(count).redone
    assert tool_of(transfer).redone
    assert not tool_of(write).redone


def test_a_price_may_depend_on_the_arguments() -> None:
    assert tool_of(count).price(("x" * 40,), {}) == 10
    assert tool_of(count).price((), {"text": "x" * 80}) == 20
    assert tool_of(transfer).price((), {"amount": 1}) == 5


@pytest.mark.parametrize("tokens", [-1, 1.5, "many", None])
def test_a_price_that_is_no_whole_number_is_refused_by_the_tools_name(tokens: object) -> None:
    @tool("model.ask", tokens=lambda: tokens)  # type: ignore[arg-type, return-value]
    def ask() -> None: ...

    with pytest.raises(DeclarationError, match=r"model\.ask asks for"):
        tool_of(ask).price((), {})


def test_a_tool_says_whether_it_wants_the_key_of_its_step() -> None:
    @tool("pay.again", effect="financial", idempotent=True)
    def again(amount: int, idempotency_key: str = "") -> None: ...

    assert tool_of(again).takes_key
    assert not tool_of(transfer).takes_key
    tool_of(again).check_given({"amount": 1})
    with pytest.raises(UsageError, match="leave it out of the call"):
        tool_of(again).check_given({"amount": 1, "idempotency_key": "mine"})


def test_retries_wait_as_their_backoff_says() -> None:
    found = tool_of(tool("x.y", retries=3, backoff=Backoff(first=0.5, factor=2.0, max=3.0))(plain))
    assert [found.pause_seconds(failures) for failures in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 3.0]
    assert found.pause_seconds(10_000) == 3.0


def test_retries_have_a_default_backoff_and_a_bound() -> None:
    found = tool_of(tool("x.y", retries=1)(plain))
    assert found.pause_seconds(1) == BACKOFF_FIRST_SECONDS
    with pytest.raises(DeclarationError, match="use 0 to"):
        tool("x.y", retries=STEP_RETRIES_MAX + 1)
    with pytest.raises(DeclarationError, match="use 0 to"):
        tool("x.y", retries=-1)


def test_a_name_that_would_pass_for_a_branch_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"cannot be named '1\.read'"):
        tool("1.read")
