from __future__ import annotations

import pytest

from perdure.errors import InboxFull
from perdure.limits import INBOX_HARD_MAX, INBOX_SOFT_MAX
from perdure.mailbox.admission import admit, holds_senders, releases_senders


def test_an_inbox_takes_messages_up_to_its_hard_limit() -> None:
    admit("/a", 99, 100)
    with pytest.raises(InboxFull):
        admit("/a", 100, 100)


def test_a_full_inbox_is_refused_by_name_limit_and_way_out() -> None:
    with pytest.raises(InboxFull) as refused:
        admit("/survey/editor", INBOX_HARD_MAX)
    text = str(refused.value)
    assert "/survey/editor" in text
    assert f"{INBOX_HARD_MAX:,}" in text
    assert "inbox_hard_max" in text


def test_senders_are_held_only_past_the_soft_limit() -> None:
    assert not holds_senders(INBOX_SOFT_MAX)
    assert holds_senders(INBOX_SOFT_MAX + 1)


def test_held_senders_are_released_when_half_of_it_is_drained() -> None:
    assert not releases_senders(INBOX_SOFT_MAX // 2 + 1)
    assert releases_senders(INBOX_SOFT_MAX // 2)


@pytest.mark.parametrize("soft", [0, 1, 2, 3, 10, 10_000])
def test_no_length_both_holds_and_releases(soft: int) -> None:
    assert not any(holds_senders(n, soft) and releases_senders(n, soft) for n in range(soft + 3))


@pytest.mark.parametrize("soft", [0, 1, 10])
def test_an_empty_inbox_always_releases(soft: int) -> None:
    assert releases_senders(0, soft)


def test_the_soft_limit_is_met_before_the_hard_one() -> None:
    assert INBOX_SOFT_MAX < INBOX_HARD_MAX
