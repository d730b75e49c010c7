"""Values of unknown types are pickles: loaded only with trust, and refused when they could not be loaded again."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from artfs.errors import MaterializerError, UntrustedPickle
from artfs.materializers.pickle import CloudpickleMaterializer
from support.round_trip import identical, load, round_trip, save
from support.sample_types import (
    Box,
    Colour,
    Pair,
    Plain,
    Unloadable,
)


def test_a_pickle_loads_only_with_trust(tmp_path: Path) -> None:
    save(Plain(1), tmp_path)
    assert load(tmp_path, Plain) == Plain(1)
    with pytest.raises(UntrustedPickle, match="trusted"):
        load(tmp_path, Plain, trusted=False)


def test_trust_reaches_the_pickles_inside_of_containers(tmp_path: Path) -> None:
    save({"deep": [Plain(1)]}, tmp_path)
    assert load(tmp_path, dict) == {"deep": [Plain(1)]}
    with pytest.raises(UntrustedPickle):
        load(tmp_path, dict, trusted=False)


def test_a_materializer_trusts_nobody_by_itself(tmp_path: Path) -> None:
    save(Plain(1), tmp_path)
    with pytest.raises(UntrustedPickle):
        CloudpickleMaterializer(str(tmp_path)).load(Plain)


def test_plain_values_need_no_trust(tmp_path: Path) -> None:
    value = [1, {2: Colour.RED}, Pair(1, defaultdict(list))]
    save(value, tmp_path)
    assert identical(load(tmp_path, list, trusted=False), value)


def test_untrusted_data_imports_no_module(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"$enum": {"class": "antigravity.Thing", "name": "A"}}')
    with pytest.raises(UntrustedPickle, match="import antigravity"):
        load(tmp_path, dict, trusted=False)
    (tmp_path / "data.json").write_text(
        '{"$item": {"path": "items/a", "materializer": "antigravity.M", "type": "builtins.int"}}'
    )
    with pytest.raises(UntrustedPickle, match="import antigravity"):
        load(tmp_path, dict, trusted=False)
    assert "antigravity" not in sys.modules


def test_untrusted_data_names_no_function_to_run(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"$defaultdict": ["os.abort", {}]}')
    with pytest.raises(ImportError, match="no class"):
        load(tmp_path, dict, trusted=False)


@pytest.mark.expected_warnings(r"pickled by Python 3\.2\.1 and is loaded by")
def test_another_python_is_warned_of_and_named_when_loading_fails(tmp_path: Path) -> None:
    save(Plain(1), tmp_path)
    (tmp_path / "python.json").write_text('{"python": "3.2.1", "cloudpickle": "1"}')
    assert load(tmp_path, Plain) == Plain(1)
    (tmp_path / "artifact.pkl").write_bytes(b"cno_such_module\nThing\n.")
    with pytest.raises(
        MaterializerError, match=r"by Python 3\.2\.1 and cannot be loaded by .*no_such_module"
    ) as raised:
        load(tmp_path, Plain)
    assert "\n" not in str(raised.value)


def test_a_pickle_without_its_python_version_is_refused(tmp_path: Path) -> None:
    save(Plain(1), tmp_path)
    (tmp_path / "python.json").unlink()
    with pytest.raises(MaterializerError, match=r"python\.json is missing"):
        load(tmp_path, Plain)


def test_what_could_not_be_loaded_again_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    for number, value in enumerate([Unloadable(1, 2), {"a": [Unloadable(1, 2)]}]):
        with pytest.raises(MaterializerError, match=r"Unloadable can be pickled, but not unpickled again: TypeError"):
            save(value, tmp_path / str(number))


def test_a_generic_model_with_its_arguments_loads_in_another_process(tmp_path: Path) -> None:
    save([Box[int](content=1), Box[Box[str]](content=Box[str](content="x"))], tmp_path)
    code = f"""
from pathlib import Path
from support.round_trip import load
from support.sample_types import Box
loaded = load(Path({str(tmp_path)!r}), list)
assert loaded == [Box[int](content=1), Box[Box[str]](content=Box[str](content="x"))]
assert [type(each) for each in loaded] == [Box[int], Box[Box[str]]]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    "view",
    [memoryview(b"abc"), memoryview(bytearray(16)).cast("d", (2, 1)), memoryview(b"")],
    ids=["read only", "of numbers", "empty"],
)
def test_a_view_of_memory_stays_one(view: memoryview) -> None:
    loaded = round_trip([view])[0]
    assert type(loaded) is memoryview
    assert (loaded, loaded.format, loaded.shape) == (view, view.format, view.shape)
    assert loaded.readonly == view.readonly


def test_an_open_file_is_refused_and_not_turned_into_its_text(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with (
        (tmp_path / "notes.txt").open() as file,
        pytest.raises(MaterializerError, match=r"the open file .*notes.txt' is in it; save its Path instead"),
    ):
        save({"log": file}, tmp_path / "saved")


def test_an_iterator_that_can_be_read_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match=r"builtins.generator cannot be pickled"):
        save((number for number in range(3)), tmp_path)


def test_what_cannot_be_pickled_is_named(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        with pytest.raises(MaterializerError, match=r"_io\.TextIOWrapper cannot be pickled"):
            save(file, tmp_path / "a")
        with pytest.raises(MaterializerError, match=r"_io\.TextIOWrapper cannot be pickled"):
            save({"fine": Plain(1), "file": file}, tmp_path / "b")
