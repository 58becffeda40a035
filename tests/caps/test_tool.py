from __future__ import annotations

import pytest

from perdure import tool
from perdure.caps.tool import tool_of
from perdure.errors import DeclarationError


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
