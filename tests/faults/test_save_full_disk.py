"""A value that does not fit on the disk is refused in a line, and takes nothing with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from artfs import load_artifact, save_artifact
from artfs.errors import NoSpace
from support.disk import small_disk

VALUES: dict[str, Callable[[], Any]] = {
    "numpy": lambda: np.arange(2**22),
    "bytes": lambda: bytes(2**25),
    "pandas": lambda: pd.DataFrame({"a": np.random.default_rng(1).random(2**22)}),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system")
@pytest.mark.parametrize("kind", VALUES)
def test_a_value_too_large_for_the_disk_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", f"size={16 * 2**20}"):
        monkeypatch.setenv("ARTFS_HOME", str(tmp_path / "disk" / "home"))
        save_artifact(1, "before")
        with pytest.raises(NoSpace, match="cannot save 'large': its files do not fit on the disk of") as told:
            save_artifact(VALUES[kind](), "large")
        assert "\n" not in str(told.value)
        assert load_artifact("before") == 1
        save_artifact(2, "after")
