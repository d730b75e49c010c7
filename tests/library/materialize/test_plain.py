"""Plain values and containers come back exactly: type, digits, NaN, keys, order, and enum members."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.enums import ArtifactType, VisualizationType
from artfs.errors import InvalidValue, MaterializerError
from artfs.materializers.containers import ContainerMaterializer
from artfs.materializers.json.encode import encode
from artfs.materializers.plain import BytesMaterializer, PlainMaterializer
from artfs.materializers.registry import materializer_for
from support.round_trip import files, identical, load, round_trip, save
from support.sample_types import (
    Colour,
    Level,
    Mapping,
    Number,
    Pair,
    Plain,
    Rights,
    Text,
    Typed,
    Word,
)

zones = st.none() | st.timezones() | st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)))
texts = st.text(st.characters()) | st.text(st.sampled_from("a\ud83d\ude00\x00$"))
keys = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.sampled_from(list(Colour))
hashable = st.recursive(
    keys | st.binary() | st.dates() | st.decimals(allow_nan=False) | st.uuids() | st.fractions(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
scalars = st.one_of(
    hashable,
    st.floats(),
    st.complex_numbers(),
    st.binary().map(bytearray),
    st.datetimes(timezones=zones),
    st.times(timezones=st.none() | st.just(UTC)),
    st.timedeltas(),
    st.sampled_from([*Colour, *Level, *Word, Rights.READ, Rights.READ | Rights.WRITE, Rights(0), ...]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(hashable, inner),
        st.dictionaries(texts, inner),
        st.sets(hashable, max_size=4),
        st.dictionaries(hashable, inner).map(OrderedDict),
        st.dictionaries(texts, inner).map(partial(defaultdict, list)),
        st.dictionaries(hashable, st.integers()).map(Counter),
        st.builds(deque, st.lists(inner, max_size=3), st.none() | st.integers(3, 5)),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=12,
)


@given(scalars)
def test_a_single_value_comes_back_exactly(value: Any) -> None:
    assert identical(round_trip(value), value)


@given(values)
def test_a_nested_value_comes_back_exactly(value: Any) -> None:
    assert identical(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        math.inf,
        -math.inf,
        struct.unpack(">d", bytes.fromhex("fff8000000000007"))[0],  # a NaN with a sign and a payload, as R's NA has
        5e-324,
        10**5000,
        -(7**9999),
        True,
        1,
        None,
        "",
        "\ud83d\ude00",  # two surrogates are not the one character that they would be joined to
        "line\r\nend\u2028",
        b"",
        bytearray(b"\x00\xff"),
        complex(-0.0, math.nan),
        range(10, -5, -3),
        slice(1, None, 10**2000),
        Decimal("1.10"),
        Decimal("-sNaN12"),
        Decimal("-0E+5"),
        Fraction(10**5000, 3),
        UUID(int=5),
        date.max,
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime(2024, 1, 1, 12, 0, 0, 1),  # noqa: DTZ001 - a naive one has to come back naive
        datetime.max.replace(tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45), "Nepal")),
        time(1, 2, 3, fold=1),
        time(1, 2, tzinfo=timezone(timedelta(seconds=-1))),
        timedelta(-1, 3, 5),
        UTC,
        timezone(timedelta(hours=1), "CET"),
        zoneinfo.ZoneInfo("Asia/Tokyo"),
        PurePosixPath("a/../b"),
        PureWindowsPath(r"C:\x"),
        PurePosixPath("caf\udce9"),
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12] if not isinstance(value, int | Fraction) else 'n'}",
)
def test_awkward_single_values_come_back_exactly(value: Any) -> None:
    assert identical(round_trip(value), value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        (),
        {},
        set(),
        frozenset(),
        ((1, (2,)), [3, (4,)]),
        {1: "int", "1": "text", (1, 2): "tuple", None: "none", 1.5: "float", b"k": "bytes"},
        {True: "bool"},
        {"$tuple": [1]},
        {"a": {"$dict": 1, "b": 2}},
        {"deep": {"er": [{"$set": [{}]}]}},
        OrderedDict([("b", 1), ("a", 2)]),
        Counter("banana"),
        defaultdict(None, {1: 2}),
        defaultdict(list, {"x": [1]}),
        deque([1, 2, 3], maxlen=3),
        {1, "1", None, True and 2.5, (1, frozenset({2}))},
        Pair(first=[1], second={"k": (1,)}),
        Typed(3),
        {"colour": Colour.CRIMSON, "level": Level.HIGH, "word": Word.YES, "rights": Rights.READ | Rights.WRITE},
        [1, True, 1.0, "1"],
        [float("nan"), 1.0, math.inf],
        {"blob": bytes(200_000), "small": b"x"},
    ],
    ids=lambda value: f"{type(value).__name__}-{len(value)}",
)
def test_awkward_containers_come_back_exactly(value: Any) -> None:
    assert identical(round_trip(value), value)


@given(values)
def test_no_value_of_a_known_type_is_pickled(value: Any) -> None:
    assert not encode(value).pickled


def test_numpy_scalars_in_containers_keep_their_type_and_stay_in_the_json_file(tmp_path: Path) -> None:
    value = {
        "accuracy": np.float64(0.93),
        "half": np.float16(0.1),
        "count": np.int64(2**62),
        "flag": np.bool_(True),
        "when": np.datetime64("2024-05-01T12:00", "m"),
        "none": np.timedelta64("NaT"),
        "text": np.str_("x"),
        "empty": np.str_(""),
        "bytes": np.bytes_(b"ab"),
        "complex": np.complex64(1 + 2j),
        "long": np.longdouble("1.1"),
        "inf": np.float32("inf"),
    }
    save(value, tmp_path)
    loaded = load(tmp_path, dict)
    assert {key: (type(item), repr(item)) for key, item in loaded.items()} == {
        key: (type(item), repr(item)) for key, item in value.items()
    }
    assert files(tmp_path) == ["data.json"]


@pytest.mark.parametrize("value", [Text("bonjour"), Number(5), Mapping(a=1)], ids=lambda value: type(value).__name__)
def test_instances_of_subclasses_keep_their_class_and_attributes(value: Any) -> None:
    value.note = "kept"
    for loaded in (round_trip(value), round_trip([value])[0]):
        assert type(loaded) is type(value)
        assert loaded == value
        assert loaded.note == "kept"


def test_attributes_set_on_an_ordered_dict_are_kept() -> None:
    value = OrderedDict(a=1)
    value.origin = "here"  # type: ignore[attr-defined]
    assert round_trip(value).origin == "here"


def test_plain_json_stays_plain_json(tmp_path: Path) -> None:
    value = {"name": "é", "sizes": [1, 2.5, None, True], "nested": {"a": []}}
    save(value, tmp_path)
    assert json.loads((tmp_path / "data.json").read_text()) == value


def test_awkward_values_are_still_strict_json(tmp_path: Path) -> None:
    def no_constants(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    save([math.nan, 10**5000, "\ud800", {"\ud800": math.inf}], tmp_path)
    json.loads((tmp_path / "data.json").read_bytes().decode("utf-8"), parse_constant=no_constants)


def test_ten_thousand_ints_are_one_file(tmp_path: Path) -> None:
    value = list(range(10_000))
    save(value, tmp_path)
    assert files(tmp_path) == ["data.json"]
    assert load(tmp_path, list) == value


def test_ten_thousand_unknown_objects_are_three_files(tmp_path: Path) -> None:
    value = [Plain(index) for index in range(10_000)]
    save(value, tmp_path)
    assert files(tmp_path) == ["data.json", "items/pickled/artifact.pkl", "items/pickled/python.json"]
    assert load(tmp_path, list) == value


def test_large_bytes_are_a_file_of_their_own(tmp_path: Path) -> None:
    value = {"weights": b"w" * 100_000, "layers": [{"bias": bytearray(100_000)}]}
    save(value, tmp_path)
    assert files(tmp_path) == ["data.json", "items/layers.0.bias/data.bin", "items/weights/data.bin"]
    assert identical(load(tmp_path, dict), value)


def test_item_directories_have_safe_and_different_names(tmp_path: Path) -> None:
    heavy = bytes(100_000)
    value = {
        name: heavy + bytes([index])
        for index, name in enumerate(["../../etc", "a/b", "A_B", "a_b", "", ".", "pickled", "x" * 300, "n\x00l", "ünï"])
    }
    save([value, Plain(1)], tmp_path)
    assert identical(load(tmp_path, list), [value, Plain(1)])
    names = [path.name for path in (tmp_path / "items").iterdir()]
    assert len(names) == len(value) + 1 == len({name.casefold() for name in names})
    assert all(len(name.encode()) <= 255 and not name.startswith(".") for name in names)


def test_no_absolute_path_is_written(tmp_path: Path) -> None:
    save({"a": bytes(100_000), "b": Plain(1)}, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert str(tmp_path) not in (tmp_path / "there" / "data.json").read_text()
    assert load(tmp_path / "there", dict)["b"] == Plain(1)


def test_an_object_in_two_places_is_one_object_again() -> None:
    shared, blob = Plain(1), bytes(100_000)
    loaded = round_trip({"a": shared, "b": [shared], "c": blob, "d": (blob,)})
    assert loaded["a"] is loaded["b"][0]
    assert loaded["c"] is loaded["d"][0]


def test_a_container_that_holds_itself_comes_back_so(tmp_path: Path) -> None:
    loop: list[Any] = [1, bytes(100_000), Plain(2)]
    loop.append({"again": loop})
    value = {"loop": loop, "array": bytes(100_000), "same": loop}
    save(value, tmp_path)
    loaded = load(tmp_path, dict)
    assert loaded["loop"][3]["again"] is loaded["loop"] is loaded["same"]
    assert loaded["loop"][:3] == loop[:3]
    assert files(tmp_path) == [
        "data.json",
        "items/array/data.bin",
        "items/pickled/artifact.pkl",
        "items/pickled/python.json",
    ]


def test_deep_nesting_is_saved_or_refused_with_one_line(tmp_path: Path) -> None:
    deep: Any = ()
    for _ in range(100):
        deep = (deep,)
    assert round_trip(deep) == deep
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(MaterializerError, match="nested too deeply"):
        save(deep, tmp_path)


def test_equal_sets_give_equal_files(tmp_path: Path) -> None:
    """Otherwise equal outputs would get other digests in each process, and no step would ever be cached."""
    code = (
        "import sys; from pathlib import Path; from support.round_trip import save\n"
        "save([{'b', 'a', 'c', None, (1, 'x')}, {'p', 'q', 'r', 's'}], Path(sys.argv[1]))"
    )
    for seed in ("1", "2", "3"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": f"tests:{Path.cwd()}", "PATH": ""}
        subprocess.run([sys.executable, "-c", code, tmp_path / seed], env=environment, check=True)
    assert len({(tmp_path / seed / "data.json").read_bytes() for seed in ("1", "2", "3")}) == 1


class OddZone(tzinfo):
    """A time zone of somebody's own."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=3)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OddZone)

    def __hash__(self) -> int:
        return 3


def test_values_with_no_json_form_are_pickled_beside() -> None:
    value = [datetime(2024, 1, 1, tzinfo=OddZone()), slice([1], 2), defaultdict(lambda: 5, a=1), len, Plain]
    loaded = round_trip(value)
    assert type(loaded[0].tzinfo) is OddZone
    assert loaded[0] == value[0]
    assert loaded[1] == slice([1], 2)
    assert loaded[2]["missing"] == 5
    assert loaded[3:] == [len, Plain]


@pytest.mark.parametrize("data_type", [bytes, bytearray])
def test_bytes_are_a_file_of_just_them(tmp_path: Path, data_type: type[Any]) -> None:
    value = data_type(b"\x00\r\n\xff")
    save(value, tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == value
    assert identical(load(tmp_path, data_type), value)


def test_bytes_do_not_load_as_something_else(tmp_path: Path) -> None:
    save(b"x", tmp_path)
    with pytest.raises(MaterializerError, match="not as str"):
        BytesMaterializer(str(tmp_path)).load(str)


def test_metadata_of_plain_values(tmp_path: Path) -> None:
    assert save("hello", tmp_path).extract_full_metadata("hello") == {"storage_size": 8, "length": 5}
    assert PlainMaterializer(tmp_path).extract_metadata(1.5) == {"string_representation": "1.5"}
    assert PlainMaterializer(tmp_path).extract_metadata(10**5000) == {"bits": 16610}
    assert PlainMaterializer(tmp_path).extract_metadata(Decimal(1).scaleb(500)) == {"string_representation": "1E+500"}
    assert ContainerMaterializer(tmp_path).extract_metadata({"a": 1, "b": 2}) == {"length": 2}
    assert BytesMaterializer(tmp_path).extract_metadata(b"abc") == {"length": 3}


def test_small_json_is_shown_and_large_is_not(tmp_path: Path) -> None:
    saver = save({"a": 1}, tmp_path / "small")
    assert saver.save_visualizations({"a": 1}) == {str(tmp_path / "small" / "data.json"): VisualizationType.JSON}

    large = ["x" * 2_000_000]
    saver = save(large, tmp_path / "large")
    assert saver.save_visualizations(large) == {}


def test_visualizations_need_a_directory(tmp_path: Path) -> None:
    saver = save([1], tmp_path)
    with pytest.raises(InvalidValue, match="visualizations_dir"):
        saver.visualization_path("page.html")


def test_artifact_types() -> None:
    assert materializer_for(dict).ASSOCIATED_ARTIFACT_TYPE is ArtifactType.DATA
    assert materializer_for(b"").ASSOCIATED_ARTIFACT_TYPE is ArtifactType.DATA
    assert materializer_for(Plain).ASSOCIATED_ARTIFACT_TYPE is ArtifactType.BASE


# -- files that are not what save wrote --


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ('{"$unknown": 1}', "update artfs"),
        ('{"$set": [[]]}', "unhashable"),
        ('{"$decimal": "x"}', "decimal"),
        ('{"$zoneinfo": "No/Such"}', "No/Such"),
        ('{"$uuid": 5}', "uuid"),
        ('{"$enum": {"class": "support.sample_types.Colour", "name": "GREEN"}}', "no member GREEN"),
        ('{"$enum": {"class": "support.sample_types.Plain", "name": "RED"}}', "no longer is"),
        ('{"$item": {"path": "items/../../x", "materializer": "m.M", "type": "builtins.int"}}', "not written by artfs"),
        ('{"$item": {"path": "/etc", "materializer": "m.M", "type": "builtins.int"}}', "not written by artfs"),
    ],
)
def test_a_file_that_is_not_what_save_wrote_gives_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(MaterializerError, match=problem) as raised:
        load(tmp_path, dict)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match=r"no data\.json .* not saved by ContainerMaterializer"):
        load(tmp_path, dict)


def test_values_load_in_another_process(tmp_path: Path) -> None:
    """Nothing has to be imported or activated first: the names in the files are enough."""
    save({"point": Typed(1, "a"), "colour": Colour.BLUE, "blob": bytes(100_000), "other": Plain([1])}, tmp_path)
    code = (
        "import sys; from pathlib import Path; from support.round_trip import load\n"
        "value = load(Path(sys.argv[1]), dict)\n"
        "print(value['point'], value['colour'], len(value['blob']), value['other'].value)"
    )
    environment = {"PYTHONPATH": f"tests:{Path.cwd()}", "PATH": ""}
    shown = subprocess.run(
        [sys.executable, "-c", code, tmp_path], env=environment, check=True, capture_output=True, text=True
    ).stdout
    assert shown == "Typed(x=1, y='a') Colour.BLUE 100000 [1]\n"
