"""Dataclasses and pydantic models come back as they were, and say clearly when their class has changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from artfs.errors import ClassNotFound, MaterializerError, UntrustedPickle
from artfs.materializers.models import DataclassMaterializer, PydanticMaterializer
from artfs.materializers.registry import materializer_for
from support import sample_types
from support.round_trip import files, identical, load, round_trip, save
from support.sample_types import Fixed, Inner, Listing, Numbers, Outer, Output, Pair, Plain, Reduced, Settings

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_the_choice_goes_by_shape_and_base() -> None:
    assert materializer_for(Settings) is DataclassMaterializer
    assert materializer_for(Outer) is PydanticMaterializer


def test_a_dataclass_is_readable_json(tmp_path: Path) -> None:
    save(Settings(0.5, [1, 2], extra={"a": None}, seed=3), tmp_path)
    assert json.loads((tmp_path / "data.json").read_text()) == {
        "$dataclass": {
            "class": "support.sample_types.Settings",
            "fields": {"rate": 0.5, "layers": [1, 2], "extra": {"a": None}, "twice": 4.0},
            "unlike": [],
        }
    }


@pytest.mark.parametrize(
    "value",
    [
        Settings(0.1, [1], extra=(1, {2: float("inf")}), seed=7),
        Fixed(1, (2, 3)),
        [Fixed(index) for index in range(3)],
        Settings(1.0, extra=Fixed(1)),
        {"key": Settings(1.0, extra={Fixed(1), Fixed(2)})},
    ],
)
def test_dataclasses_come_back_equal(tmp_path: Path, value: Any) -> None:
    save(value, tmp_path)
    assert identical(load(tmp_path, type(value)), value)
    assert files(tmp_path) == ["data.json"]


def test_attributes_beside_the_fields_are_kept() -> None:
    value = Settings(1.0)
    value.note = "by hand"  # type: ignore[attr-defined]
    del value.layers
    loaded = round_trip(value)
    assert vars(loaded) == {**vars(value), "layers": []}


def test_heavy_fields_are_saved_beside(tmp_path: Path) -> None:
    value = Settings(1.0, extra={"weights": bytes(100_000), "other": Plain(1)})
    save(value, tmp_path)
    assert files(tmp_path) == [
        "data.json",
        "items/extra.weights/data.bin",
        "items/pickled/artifact.pkl",
        "items/pickled/python.json",
    ]
    assert load(tmp_path, Settings) == value


def test_a_path_in_a_field_is_a_setting_and_not_the_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    value = Output(tmp_path / "folder")
    save(value, tmp_path / "saved")
    assert files(tmp_path / "saved") == ["data.json"]
    assert load(tmp_path / "saved", Output) == value


def test_a_dataclass_that_is_more_than_its_fields_is_pickled(tmp_path: Path) -> None:
    listing = Listing("n")
    listing.append(5)
    loaded = round_trip(listing)
    assert (loaded.name, list(loaded)) == ("n", [5])
    save(Reduced(1), tmp_path)
    assert "items/pickled/artifact.pkl" in files(tmp_path)
    assert load(tmp_path, Reduced) == Reduced(1)


def test_an_instance_of_a_local_class_is_pickled(tmp_path: Path) -> None:
    @dataclass
    class Local:
        a: int

    class LocalModel(BaseModel):
        a: int

    assert round_trip(Local(1)) == Local(1)
    assert round_trip([LocalModel(a=1)]) == [LocalModel(a=1)]
    save(Local(1), tmp_path)
    with pytest.raises(UntrustedPickle):
        load(tmp_path, Local, trusted=False)


@pytest.mark.parametrize(
    "value",
    [
        Inner(when=NOON, tags={"a", "b"}),
        Outer(name="n", inner=Inner(when=NOON), anything=(1, Pair(2, {3})), more={1: 2}),  # type: ignore[call-arg]
        Numbers([1, 2]),
        Outer.model_construct(name=5, inner=None),
        [Numbers([1]), {"k": Numbers([])}],
    ],
)
def test_models_come_back_equal(tmp_path: Path, value: Any) -> None:
    save(value, tmp_path)
    loaded = load(tmp_path, type(value))
    assert type(loaded) is type(value)
    assert loaded == value
    assert files(tmp_path) == ["data.json"]
    if isinstance(value, BaseModel):
        assert loaded.model_fields_set == value.model_fields_set


def test_private_attributes_of_models_are_kept() -> None:
    value = Outer(name="n", inner=Inner(when=NOON))
    value._secret = 42
    assert round_trip(value)._secret == 42


def test_metadata_is_the_schema(tmp_path: Path) -> None:
    assert DataclassMaterializer(tmp_path).extract_metadata(Fixed(1)) == {
        "schema": {"a": "int", "b": "tuple[int, ...]"}
    }
    assert PydanticMaterializer(tmp_path).extract_metadata(Numbers([1])) == {"schema": {"root": "list[int]"}}


# -- classes that changed since --


def test_a_class_that_moved_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save([Fixed(1)], tmp_path)
    monkeypatch.delattr(sample_types, "Fixed")
    with pytest.raises(ClassNotFound, match=r"support\.sample_types\.Fixed .* moved or renamed"):
        load(tmp_path, list)


def test_a_module_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"$dataclass": {"class": "no_such_module.Thing", "fields": {}}}')
    with pytest.raises(ClassNotFound, match=r"no_such_module\.Thing .* cannot be imported"):
        load(tmp_path, dict)


@dataclass
class _Grown:
    rate: float
    layers: list[int] = field(default_factory=list)
    extra: Any = None
    twice: float = 0.0
    new: list[str] = field(default_factory=lambda: ["default"])


@dataclass
class _Demanding:
    rate: float
    required: int


@dataclass(slots=True)
class _Shrunk:
    a: int


def test_new_fields_take_their_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save([Settings(0.5, [1])], tmp_path)
    monkeypatch.setattr(sample_types, "Settings", _Grown)
    assert load(tmp_path, list) == [_Grown(0.5, [1], None, 1.0, ["default"])]


@pytest.mark.parametrize(
    ("value", "now", "problem"),
    [
        (Settings(0.5), _Demanding, "the saved value has no required"),
        (Fixed(1, (2,)), _Shrunk, "the class has no b any more"),
        (Fixed(1), Plain, "no longer is"),
        (Pair(1, 2), sample_types.Typed, "the saved value has no x; the class has no first, second any more"),
        (Numbers([1]), Inner, "the saved value has no when; the class has no root any more"),
    ],
)
def test_a_change_that_no_default_can_bridge_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, now: type, problem: str
) -> None:
    save([value], tmp_path)
    monkeypatch.setattr(sample_types, type(value).__name__, now)
    with pytest.raises(MaterializerError, match=problem) as raised:
        load(tmp_path, list)
    assert "\n" not in str(raised.value)


def test_a_model_with_a_new_field_is_validated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Inner(BaseModel):
        when: datetime
        tags: set[str] = set()
        added: int = 3

    save([sample_types.Inner(when=NOON, tags={"x"})], tmp_path)
    monkeypatch.setattr(sample_types, "Inner", Inner)
    assert load(tmp_path, list) == [Inner(when=NOON, tags={"x"}, added=3)]
