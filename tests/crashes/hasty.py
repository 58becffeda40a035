"""The vault with one flush for each commit: what went out may be ahead of its ledger by a group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure.ledger.audit import audit_store
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from tests.crashes import vault
from tests.crashes.vault import check_beginning, end, scenario


def drive(disk: Path, scenario: Path) -> dict[str, Any]:
    """As the vault's."""
    return vault.drive(disk, scenario, durability="relaxed")


def check(disk: Path, whole: Path, out: list[str]) -> None:
    """A whole ledger that ends at the last group or the one before; at the last when it is over."""
    directory = disk / "home" / "vault-1"
    committed = [0, 0, *(int(text.split()[1]) for text in out if text.startswith("durable "))]
    is_over = any(text.startswith("report ") for text in out)
    if not (directory / "ledger" / "data.mdb").exists():
        assert out == [], f"there is no ledger, and out is {out[-1]}"
        return
    verify_store(directory)
    store = open_store(directory, write=False)
    try:
        assert [str(violation) for violation in audit_store(store)] == []
        head = store.head()
    finally:
        store.close()
    assert head.seq >= committed[-1 if is_over else -2]
    check_beginning(whole, head)


__all__ = ["check", "drive", "end", "scenario"]
