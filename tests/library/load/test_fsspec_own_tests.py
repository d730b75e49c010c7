"""fsspec's own tests of a file system, as far as they need no writing, hold for `artfs://`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.tests.abstract import AbstractFixtures, AbstractGetTests, AbstractOpenTests

from artfs.artifacts.scan import scan
from artfs.errors import ReadOnly
from artfs.fsspec import ArtfsFileSystem
from artfs.workspace.workspace import Workspace
from support.versions import seal


class Scenarios(AbstractFixtures):
    """The directories that fsspec's tests begin with, each made locally and sealed as version 1 of `scenario`."""

    @pytest.fixture
    def fs(self, workspace: Workspace) -> ArtfsFileSystem:
        return ArtfsFileSystem(skip_instance_cache=True)

    @pytest.fixture
    def fs_path(self) -> str:
        return "scenario/1"

    @pytest.fixture
    def sealed(self, workspace: Workspace, tmp_path: Path) -> Callable[[Callable[..., str]], str]:
        def seal_what(makes: Callable[..., str]) -> str:
            source = Path(makes(LocalFileSystem(auto_mkdir=True), os.path.join, str(tmp_path / "scenario")))
            seal(scan(tmp_path / "scenario"), workspace, "scenario")
            return f"scenario/1/{source.name}"

        return seal_what

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self, sealed: Callable[..., str]) -> str:
        return sealed(self._bulk_operations_scenario_0)

    @pytest.fixture
    def fs_glob_edge_cases_files(self, sealed: Callable[..., str]) -> str:
        return sealed(self._glob_edge_cases_files)

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self, sealed: Callable[..., str]) -> str:
        return sealed(self._dir_and_file_with_same_name_prefix)

    @pytest.fixture
    def fs_10_files_with_hashed_names(self, sealed: Callable[..., str]) -> str:
        return sealed(self._10_files_with_hashed_names)

    @pytest.fixture
    def fs_target(self) -> str:
        return "scenario/1/target"


class TestGetOfFsspec(Scenarios, AbstractGetTests):
    def test_get_directory_recursive(  # type: ignore[override] # the version is made before, as `fs` cannot
        self,
        fs: Any,
        fs_join: Any,
        fs_path: Any,
        local_fs: Any,
        local_join: Any,
        local_target: Any,
        workspace: Workspace,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "made/src").mkdir(parents=True)
        (tmp_path / "made/src/file").touch()
        seal(scan(tmp_path / "made"), workspace, "scenario")
        made = SimpleNamespace(get=fs.get, mkdir=fs.isdir, touch=fs.isfile)
        super().test_get_directory_recursive(made, fs_join, fs_path, local_fs, local_join, local_target)


class TestOpenOfFsspec(Scenarios, AbstractOpenTests):
    def test_open_exclusive(self, fs: ArtfsFileSystem, fs_target: str) -> None:
        with pytest.raises(ReadOnly):
            super().test_open_exclusive(fs, fs_target)
