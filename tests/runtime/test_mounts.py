"""Where a ledger may be, as the system's table of mounts tells it."""

from __future__ import annotations

import pytest

from perdure.runtime.mounts import Mount, judge_mount, mount_of

TABLE = r"""proc /proc proc rw 0 0
/dev/vda / ext4 rw,relatime 0 0
server:/srv /data nfs4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
none /my\040disk xfs rw 0 0
overlay /again overlay rw 0 0
/dev/vdb /again ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home/x", "ext4"),
        ("/data", "nfs4"),
        ("/data/runs/1", "nfs4"),
        ("/database", "ext4"),
        ("/tmp/x", "tmpfs"),
        ("/my disk/x", "xfs"),
        ("/again/x", "ext4"),  # mounted over
    ],
)
def test_a_path_is_on_the_longest_mount_that_it_is_below(path: str, kind: str) -> None:
    mount = mount_of(path, TABLE)
    assert mount is not None
    assert mount.kind == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "fuse", "virtiofs"])
def test_what_other_machines_share_is_a_problem(kind: str) -> None:
    found = judge_mount(Mount("/data", kind))
    assert (found.verdict, f"{kind} at /data" in found.text) == ("problem", True)
    assert "local disk" in found.way


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs", "overlay", "exotic"])
def test_what_does_not_last_is_a_warning(kind: str) -> None:
    assert judge_mount(Mount("/", kind)).verdict == "warning"


def test_what_cannot_be_told_is_a_warning() -> None:
    assert mount_of("/x", "") is None
    assert judge_mount(None).verdict == "warning"
