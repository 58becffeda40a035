"""How far a run is, on one line; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.cli.say import paint
from perdure.cli.words import clock, count

BAR_CELLS = 10
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_SECONDS = 0.125


def progress_line(figures: Mapping[str, Any], seconds: float, rate: float) -> str:
    """The figures of a run that goes on; `rate` is turns per second."""
    frame = _FRAMES[int(seconds / _FRAME_SECONDS) % len(_FRAMES)]
    parts = [
        f"{paint(frame, 'cyan')} {paint(clock(int(seconds * 1e9))[:-3], bold=True)}",
        f"{count(figures['turns'], 'turn')}  {paint(f'{rate:,.0f}/s', dim=True)}",
    ]
    for key, colour, noun, plural in (
        ("waiting", "", "ready", "ready"),
        ("crashed", "yellow", "crash", "crashes"),
        ("restarts", "yellow", "restart", "restarts"),
        ("dead", "red", "dead letter", "dead letters"),
    ):
        if figures[key]:
            parts.append(paint(count(figures[key], noun, plural), colour or None))
    parts.append(_tokens(figures["tokens_spent"], figures["tokens_limit"]))
    return "   ".join(part for part in parts if part)


def _tokens(spent: int, limit: int | None) -> str:
    if not spent:
        return ""
    if not limit:
        return f"tokens {spent:,}"
    share = min(1.0, spent / limit)
    full = round(share * BAR_CELLS)
    bar = paint("━" * full, "cyan") + paint("━" * (BAR_CELLS - full), dim=True)
    return f"tokens {bar} {share:.0%} of {limit:,}"
