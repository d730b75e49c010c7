"""The Python of the README runs, and does what it says there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from artfs.client import Client

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_second_run_takes_over_what_has_not_changed(tmp_path: Path) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "points.py").write_text(script)
    done = subprocess.run([sys.executable, tmp_path / "points.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = Client().get_pipeline_run("summing/latest")
    assert {name: str(each.status) for name, each in last.steps.items()} == {"load": "cached", "total": "completed"}
    assert last.steps["total"].output.load() == 0.2 * 6
    (reason,) = last.steps["total"].explain().reasons
    assert "rate" in reason
