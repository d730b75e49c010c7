"""The daemon's log is as private as the rest of the home, also the files that are begun later."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from artfs.sharing import GROUP, OWNER, Sharing
from artfs_mount.__main__ import AreaLog
from artfs_mount.incoming.area import Area


def modes_after_a_rollover(folder: Path, sharing: Sharing) -> set[int]:
    folder.mkdir()
    before = os.umask(0)
    try:
        log = AreaLog(Area(folder, -1, sharing))
        log.doRollover()
        log.close()
    finally:
        os.umask(before)
    files = list(folder.iterdir())
    assert len(files) == 2
    return {stat.S_IMODE(path.stat().st_mode) for path in files}


def test_each_of_its_files_has_the_mode_of_the_home(tmp_path: Path) -> None:
    assert modes_after_a_rollover(tmp_path / "owner", OWNER) == {0o600}
    assert modes_after_a_rollover(tmp_path / "group", GROUP) == {0o660}
