"""What the writers write is what the formats' own libraries write and read, and a judge of versions tells halves."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.all_patterns import PATTERNS
from support.campaign import Campaign
from support.judging import Contents, loads
from support.patterns import Pattern, Save
from support.samples import FAMILIES, write_samples

ENDINGS = {"xgboost": ".ubj", "npz": ".npz", "npy": ".npy", "csv": ".csv"}


@pytest.fixture(scope="session")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    folder = tmp_path_factory.mktemp("contents")
    write_samples(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_library_loads_what_is_written(contents: Contents, tmp_path: Path, family: str) -> None:
    path = tmp_path / f"file{ENDINGS.get(family, '')}"
    found = []
    for number in (1, 2):
        path.write_bytes(contents[f"{family}-{number}"])
        found.append(FAMILIES[family].load(path))
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "family",
    [
        "torch",
        "torch_legacy",
        "safetensors",
        "pickle",
        "joblib",
        "npy",
        "npz",
        "hdf5",
        "keras",
        "parquet",
        "arrow",
        "json",
    ],
)
def test_the_library_refuses_half_of_it(contents: Contents, tmp_path: Path, family: str) -> None:
    whole = contents[f"{family}-1"]
    path = tmp_path / f"file{ENDINGS.get(family, '')}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Exception):  # noqa: B017 # each library has its own
        FAMILIES[family].load(path)


class TestJudging:
    @pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if not pattern.database])
    def test_finished_saves(self, contents: Contents, tmp_path: Path, name: str) -> None:
        pattern = PATTERNS[name]
        for save in pattern.saves:
            folder = tmp_path / save.name.replace(" ", "_")
            _lay(pattern, save, folder, contents)
            as_well = {other.name for other in pattern.loads_too if other.files.items() <= save.files.items()}
            assert loads(pattern, "draft", folder, contents) == {save.name, *as_well}

    @pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if not pattern.streams])
    def test_half_ones(self, contents: Contents, tmp_path: Path, name: str) -> None:
        """Without any one of the files, and with half of any one."""
        pattern = PATTERNS[name]
        for number, path in enumerate(pattern.saves[0].files):
            for cut in ("gone", "half"):
                folder = tmp_path / f"{number}-{cut}"
                _lay(pattern, pattern.saves[0], folder, contents)
                file = folder / path.replace("@", "draft")
                content = file.read_bytes()
                file.unlink()
                if cut == "gone" and any(path not in other.files for other in pattern.loads_too):
                    continue
                if cut == "half":
                    file.write_bytes(content[: len(content) // 2])
                with pytest.raises(ValueError):
                    loads(pattern, "draft", folder, contents)

    @pytest.mark.parametrize("name", ["trainer", "safetensors_renamed_in_a_folder", "orbax"])
    def test_temporary_files_are_no_part_of_it(self, contents: Contents, tmp_path: Path, name: str) -> None:
        _lay(PATTERNS[name], PATTERNS[name].saves[0], tmp_path, contents)
        (tmp_path / ".tmpAb12Cd").write_bytes(b"content")
        with pytest.raises(ValueError, match="temporary"):
            loads(PATTERNS[name], "draft", tmp_path, contents)

    def test_a_pointer_to_what_is_not_there(self, contents: Contents, tmp_path: Path) -> None:
        pattern = PATTERNS["deepspeed"]
        _lay(pattern, pattern.saves[0], tmp_path, contents)
        (tmp_path / "latest").write_bytes(contents["deepspeed_latest-1"])
        assert loads(pattern, "draft", tmp_path, contents) == {"step 1"}
        (tmp_path / "latest").write_bytes(contents["deepspeed_latest-2"])
        with pytest.raises(ValueError, match="names step 2, which is not whole"):
            loads(pattern, "draft", tmp_path, contents)


def test_names_of_drafts_are_all_different(campaign: Campaign) -> None:
    cases = [campaign.case(pattern) for pattern in PATTERNS.values() for _ in range(2)]
    assert len({case.draft for case in cases}) == 2 * len(PATTERNS)


def _lay(pattern: Pattern, save: Save, folder: Path, contents: Contents) -> None:
    """Makes a version of a save."""
    for path, content in save.files.items():
        file = folder / path.replace("@", "draft")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(contents[content])
