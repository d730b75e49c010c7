"""What makes no version, what `artfs sync` says of it, and what makes one although it looks as if it should not."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from support import replay
from support.all_patterns import PATTERNS
from support.campaign import SETTINGS, Campaign
from support.drafts import drafts, versions
from support.folder_patterns import TRAINER_FILES
from support.mount import PATIENCE_SECONDS, Mount
from support.mount_fixtures import StartMount
from support.replay import Step

TEMPORARY = [
    ".tmpAb12Cd",
    "model.safetensors.tmp",
    "saved_model.pb.tmp1f2e3d4c5b6a7988",
    "model.part",
    "model.partial",
    "manifest.ocdbt.__lock",
    "data.tempstate1234",
]
"""Names of files."""
TEMPORARY_FOLDERS = ["1.orbax-checkpoint-tmp", "tmp-checkpoint-500", "ckpt-1_temp"]
COMPANIONS = ["data.db-wal", "data.db-journal", "data.db-shm"]


@pytest.fixture
def mount(start_mount: StartMount) -> Mount:
    """A mount of the test's own, of whose drafts `artfs sync` speaks."""
    return start_mount(settings=SETTINGS)


def _written(mount: Mount, script: str) -> None:
    """Lets a shell write in /incoming, and end well."""
    mount.run(["sh", "-ec", script], cwd=mount.incoming)


def _rests(mount: Mount) -> None:
    """Waits until nothing more comes of the drafts, and asks for it."""
    Campaign(mount, mount.base).settle()
    done = mount.artfs("sync", mount.path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _artifacts(mount: Mount) -> list[str]:
    return sorted(os.listdir(mount.artifacts))


class TestNothing:
    @pytest.mark.parametrize(
        "script",
        ["mkdir x", "touch y", "mkdir -p x/deep/er", "mkdir x; touch x/one x/two"],
        ids=["a folder", "a file", "folders", "empty files"],
    )
    def test_empty(self, mount: Mount, script: str) -> None:
        _written(mount, script)
        _rests(mount)
        assert _artifacts(mount) == []

    def test_temporary_names_in_a_folder(self, mount: Mount) -> None:
        for number, name in enumerate(TEMPORARY):
            _written(mount, f"mkdir x{number}; echo content > x{number}/{name}")
        for number, name in enumerate(TEMPORARY_FOLDERS):
            _written(mount, f"mkdir -p y{number}/{name}; echo content > y{number}/{name}/data")
        _rests(mount)
        assert _artifacts(mount) == []

    def test_temporary_names_in_the_root(self, mount: Mount) -> None:
        for name in TEMPORARY:
            _written(mount, f"echo content > {name}")
        for name in TEMPORARY_FOLDERS:
            _written(mount, f"mkdir {name}; echo content > {name}/data")
        _rests(mount)
        assert _artifacts(mount) == []

    def test_companions_in_the_root(self, mount: Mount) -> None:
        for name in COMPANIONS:
            _written(mount, f"echo content > {name}")
        _rests(mount)
        assert _artifacts(mount) == []

    def test_a_link_beside_its_target(self, mount: Mount) -> None:
        """Lightning, whose folder is /incoming itself."""
        _written(mount, "echo content > epoch=1.ckpt; ln -s epoch=1.ckpt last.ckpt")
        Campaign(mount, mount.base).settle()
        assert "last.ckpt" not in _artifacts(mount)
        mount.artfs("sync", mount.path)  # it is told of, and no error


class TestOnlyWhatIsFinished:
    def test_beside_temporary_names_a_folder_is_a_version_without_them(self, mount: Mount) -> None:
        _written(mount, "mkdir x; echo content > x/data; echo part > x/.tmpAb12Cd")
        _rests(mount)
        assert versions(mount, "x") == ["1"]
        assert sorted(path.name for path in (mount.artifacts / "x" / "1").iterdir()) == ["data"]
        assert (mount.incoming / "x" / ".tmpAb12Cd").exists()

    def test_what_a_killed_program_left_is_shown(self, mount: Mount) -> None:
        """And the next save under the same name is a version."""
        campaign = Campaign.begin(mount)
        pattern = PATTERNS["safetensors_renamed_in_a_folder"]
        [killed] = campaign.run([campaign.case(pattern, "kill", 4)])
        assert (killed.half, killed.verdict.versions) == ([], 0)
        assert any("tmp" in state for state in _reasons(mount, killed.case.draft))
        again = campaign.case(pattern)
        with replay.start(campaign.job(killed.case.draft, again.unique, again.steps)) as writer:
            writer.communicate()
        campaign.settle()
        [version] = versions(mount, killed.case.draft)
        assert os.listdir(mount.artifacts / killed.case.draft / version) == ["model.safetensors"]


class TestAllTheSame:
    def test_a_program_that_ends_with_1(self, mount: Mount) -> None:
        done = mount.run(["sh", "-c", "diff /etc/passwd /etc/group > out"], cwd=mount.incoming, check=False)
        assert done.returncode == 1
        Campaign(mount, mount.base).settle()
        assert versions(mount, "out") == ["1"]
        assert (mount.artifacts / "out" / "1" / "out").read_bytes().startswith(b"1")

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_a_log_of_a_killed_program_holds_nothing_back(self, campaign: Campaign, number: int) -> None:
        """It is killed while it appends, and its finished checkpoint is a version."""
        mount, draft = campaign.mount, f"z{number:05d}-log"
        steps: list[Step] = [("mkdir", "@/logs"), ("mkdir", "@/checkpoint-1")]
        steps += [("open", "log", "@/logs/metrics.csv", "a"), ("write", "log", "csv_lines", 0, 4)]
        for name, family in TRAINER_FILES.items():
            path = f"@/checkpoint-1/{name}"
            steps += [("open", "f", path, "w"), ("write", "f", f"{family}-1", 0, 1), ("close", "f")]
        steps += [("write", "log", "csv_lines", 1, 4), ("kill", number)]
        with replay.start(campaign.job(draft, draft[:6], steps)) as writer:
            writer.communicate()
        assert writer.returncode in (-number, 1)  # Python ends by itself at Ctrl-C
        campaign.settle()
        assert versions(mount, draft)
        latest = mount.artifacts / draft / "latest"
        contents = campaign.read_contents()
        found = {path.name: path.read_bytes() for path in (latest / "checkpoint-1").iterdir()}
        assert found == {name: contents[f"{family}-1"] for name, family in TRAINER_FILES.items()}
        lines = contents["csv_lines"]
        assert (latest / "logs" / "metrics.csv").read_bytes() == lines[: len(lines) // 2]

    def test_an_open_log_holds_no_checkpoint_back(self, campaign: Campaign, tmp_path: Path) -> None:
        """The training goes on, and never closes it."""
        mount, draft = campaign.mount, "z00000-open-log"
        steps: list[Step] = [("mkdir", "@"), ("open", "log", "@/events.out.tfevents.1", "a")]
        steps += [("write", "log", "tfevents", 0, 4), ("mkdir", "@/checkpoint-1")]
        for name, family in TRAINER_FILES.items():
            path = f"@/checkpoint-1/{name}"
            steps += [("open", "f", path, "w"), ("write", "f", f"{family}-1", 0, 1), ("close", "f")]
        steps.append(("wait", str(tmp_path / "enough"), 2.0 * PATIENCE_SECONDS))
        with replay.start(campaign.job(draft, draft[:6], steps)) as writer:
            try:
                mount.wait_until(lambda: bool(versions(mount, draft)), "a version beside an open log")
            finally:
                (tmp_path / "enough").touch()
                writer.communicate()
        assert sorted(os.listdir(mount.artifacts / draft / "1" / "checkpoint-1")) == sorted(TRAINER_FILES)
        assert writer.returncode == 0

    def test_a_folder_that_is_removed_leaves_its_versions(self, campaign: Campaign) -> None:
        case = campaign.case(PATTERNS["dcp"])
        [outcome] = campaign.run([case])
        assert (outcome.lost, outcome.half) == ([], [])
        shutil.rmtree(campaign.mount.incoming / case.draft)
        assert versions(campaign.mount, case.draft) == ["1"]


def _reasons(mount: Mount, name: str) -> list[str]:
    found = drafts(mount)[name]
    return [str(value) for value in found.values()]


def test_artfs_status_tells_what_was_left(mount: Mount) -> None:
    _written(mount, "mkdir x; echo content > x/data; echo part > x/.tmpAb12Cd")
    _rests(mount)
    assert any(".tmpAb12Cd" in reason for reason in _reasons(mount, "x"))
    assert ".tmpAb12Cd" in mount.artfs("status", mount.path).stdout
