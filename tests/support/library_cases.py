"""Round trips of the values of a library: in this process, and loaded by a process that has imported nothing yet.

A test module has `CASES`, functions that make the same value each time they are called, by name, and `assert_same`.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from artfs.classes import qualified_name
from artfs.materializers.base import BaseMaterializer
from artfs.materializers.registry import materializer_for, registry

Cases = Mapping[str, Callable[[], Any]]

_TESTS = Path(__file__).parents[1]


def save_as_chosen(value: Any, directory: Path) -> BaseMaterializer:
    """Save `value` in a new directory with the materializer that is chosen for it, and return that."""
    directory.mkdir(parents=True)
    materializer = materializer_for(value)(directory)
    materializer.save(value)
    return materializer


def load_as_recorded(directory: Path, materializer: str, data_type: str, *, trusted: bool) -> Any:
    """Load a value by the names that a version records."""
    loader_class = registry.by_name(materializer, trusted=trusted)
    loader = loader_class(directory)
    loader.trusted = trusted
    return loader.load(registry.type_to_load(data_type, loader_class, trusted=trusted))


def there_and_back(value: Any, directory: Path, *, trusted: bool = False) -> Any:
    """Return `value` saved and loaded again, by default without trust; extraction must succeed too."""
    saver = save_as_chosen(value, directory / "data")
    saver.visualizations_dir = str(directory / "visualizations")
    json.dumps(saver.extract_full_metadata(value))
    for path in saver.save_visualizations(value):
        assert Path(path).stat().st_size > 0
        # A JSON file that holds the value is shown as it is.
        assert Path(path).parent in (directory / "visualizations", directory / "data")
    return load_as_recorded(
        directory / "data", qualified_name(type(saver)), qualified_name(type(value)), trusted=trusted
    )


def check_in_fresh_process(test_module: str, cases: Cases, need_trust: Collection[str], directory: Path) -> None:
    """Save all cases here, and have another process load them and compare them with what it makes itself.

    Args:
        test_module: the path of the file that has `CASES` and `assert_same`.
        cases: those of them to check.
        need_trust: names of the cases that load only when they are trusted.
        directory: where to save, not used for anything else.
    """
    saved = []
    for number, (name, make) in enumerate(cases.items()):
        value = make()
        saver = save_as_chosen(value, directory / str(number))
        saved.append(
            {
                "name": name,
                "directory": str(directory / str(number)),
                "materializer": qualified_name(type(saver)),
                "data_type": qualified_name(type(value)),
                "trusted": name in need_trust,
            }
        )
    (directory / "saved.json").write_text(json.dumps(saved))
    done = subprocess.run(
        [sys.executable, "-c", "from support.library_cases import _check; _check()", test_module, directory],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS), str(_TESTS.parent), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def _check() -> None:
    """Do what `check_in_fresh_process` asks of the other process."""
    test_module, directory = sys.argv[1:]
    saved = json.loads(Path(directory, "saved.json").read_text())
    loaded = [  # all of them before the test module is run, which imports the library
        load_as_recorded(Path(case["directory"]), case["materializer"], case["data_type"], trusted=case["trusted"])
        for case in saved
    ]
    names = runpy.run_path(test_module)
    for case, value in zip(saved, loaded, strict=True):
        try:
            names["assert_same"](names["CASES"][case["name"]](), value)
        except AssertionError as error:
            raise AssertionError(f"{case['name']}: {error}") from error
