"""No secret that a command line or a link names is kept: not in the catalog, logs, records or the status."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from support.drafts import state
from support.mount import Mount

SECRET = "hunter2Z9qSecret"


def kept(home: Path) -> list[str]:
    """The files of a home that have the secret in them; what links point to is their owner's."""
    found = []
    for directory, _, names in os.walk(home):
        for name in names:
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink() and SECRET.encode() in path.read_bytes():
                found.append(str(path.relative_to(home)))
    return found


def test_no_secret_of_a_command_line_is_kept(mounted: Mount) -> None:
    script = f"cat {mounted.path}/README.txt > {mounted.incoming}/page; exit 3"
    command = ["env", f"API_TOKEN={SECRET}", "sh", "-c", script, "sh", f"--password={SECRET}", "--hf-token", SECRET]
    mounted.artfs("exec", "--", *command, check=False)
    shown = json.loads((mounted.path / "runs" / "env" / "latest" / "run.json").read_text())
    assert shown["config"]["command"][0] == "env"
    assert shown["config"]["command"][-3:] == ["--password=***", "--hf-token", "***"]
    assert kept(mounted.home) == []
    assert SECRET not in (mounted.path / ".artfs" / "status.json").read_text()


def test_a_program_that_is_observed_keeps_none_either(mounted: Mount, tmp_path: Path) -> None:
    (mounted.incoming / "source").write_text("data")
    mounted.commit("source")
    program = tmp_path / "copy.py"
    program.write_text("import sys; open(sys.argv[2], 'wb').write(open(sys.argv[1], 'rb').read())")
    files = [mounted.artifacts / "source" / "1" / "source", mounted.incoming / "made"]
    mounted.run([sys.executable, program, *files, f"--password={SECRET}"], start_new_session=True)
    mounted.commit("made")
    latest = mounted.path / "runs" / "copy.py" / "latest" / "run.json"
    mounted.wait_until(latest.exists, "the run of the program")
    run = json.loads(latest.read_text())
    assert run["config"]["command"][-1] == "--password=***"
    assert kept(mounted.home) == []


@pytest.mark.expected_warnings("has a secret|links to s3")
@pytest.mark.parametrize(
    "target", [f"s3://KEY:{SECRET}@bucket/x", f"https://host/x?token={SECRET}", f"https://acc.host/c/b?sig={SECRET}%3D"]
)
def test_a_link_with_a_secret_is_held_and_told_without_it(mounted: Mount, target: str) -> None:
    (mounted.incoming / "data").symlink_to(target)
    mounted.wait_until(lambda: state(mounted, "data")[0] == "held", "the link being held")
    why = state(mounted, "data")[1]
    assert "a secret in a link would be kept" in why and "***" in why and "environment" in why
    assert SECRET not in (mounted.path / ".artfs" / "status.json").read_text()
    refused = mounted.artfs("commit", mounted.incoming / "data", check=False)
    assert refused.returncode == 1 and SECRET not in refused.stderr + refused.stdout
    assert kept(mounted.home) == []
