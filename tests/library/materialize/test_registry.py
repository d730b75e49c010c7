"""The right materializer is chosen in any process, whoever defined it and in whatever order things are imported."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from artfs.classes import find_by_name, is_importable, qualified_name
from artfs.enums import ExecutionStatus
from artfs.errors import ClassNotFound, InvalidValue, MaterializerNotFound
from artfs.materializers import builtin
from artfs.materializers.base import BaseMaterializer, defined
from artfs.materializers.containers import ContainerMaterializer
from artfs.materializers.json.materializer import JsonMaterializer
from artfs.materializers.models import DataclassMaterializer, PydanticMaterializer
from artfs.materializers.paths import PathMaterializer
from artfs.materializers.pickle import CloudpickleMaterializer
from artfs.materializers.plain import BytesMaterializer, PlainMaterializer
from artfs.materializers.registry import materializer_for, registry
from artfs.materializers.strings import StructuredStringMaterializer
from support.round_trip import files, load, save
from support.sample_types import Colour, Level, Mapping, Number, Pair, Plain, Settings


class Animal:
    """What the materializers of these tests save."""

    def __init__(self, name: str) -> None:
        self.name = name


class Dog(Animal):
    """A more special Animal."""


class Puppy(Dog):
    """A still more special one."""


class NameMaterializer(BaseMaterializer):
    """Saves an Animal by name."""

    SKIP_REGISTRATION = True

    def save(self, data: Animal) -> None:
        Path(self.uri, "name.txt").write_text(data.name)

    def load(self, data_type: type[Any]) -> Any:
        return data_type(Path(self.uri, "name.txt").read_text())


@pytest.fixture(autouse=True)
def forget_what_the_test_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in ("by_type", "by_name", "types"):
        monkeypatch.setattr(defined, table, dict(getattr(defined, table)))
    monkeypatch.setattr(registry, "_announced", dict(registry._announced))


def test_defining_a_class_is_all_that_is_needed(tmp_path: Path) -> None:
    assert materializer_for(Animal) is CloudpickleMaterializer

    class AnimalMaterializer(NameMaterializer):
        ASSOCIATED_TYPES = (Animal,)

    assert materializer_for(Animal) is AnimalMaterializer
    assert materializer_for(Puppy("p")) is AnimalMaterializer
    save(Puppy("p"), tmp_path)
    loaded = load(tmp_path, Puppy, trusted=False)
    assert (type(loaded), loaded.name) == (Puppy, "p")


def test_the_most_specific_type_wins_whatever_was_defined_first() -> None:
    class ForDogs(NameMaterializer):
        ASSOCIATED_TYPES = (Dog,)

    class ForAnimals(NameMaterializer):
        ASSOCIATED_TYPES = (Animal,)

    assert materializer_for(Animal) is ForAnimals
    assert materializer_for(Dog) is ForDogs
    assert materializer_for(Puppy) is ForDogs


def test_the_newest_definition_wins() -> None:
    class First(NameMaterializer):
        ASSOCIATED_TYPES = (Animal,)

    class Second(NameMaterializer):
        ASSOCIATED_TYPES = (Animal,)

    assert materializer_for(Animal) is Second
    defined.add(First)
    assert materializer_for(Animal) is First


def test_a_definition_of_ones_own_wins_over_a_built_in_one_of_the_same_type() -> None:
    class ForDicts(NameMaterializer):
        ASSOCIATED_TYPES = (dict,)

    assert materializer_for(dict) is ForDicts
    assert materializer_for(Mapping) is ForDicts
    assert materializer_for(OrderedDict) is ContainerMaterializer  # the more specific type, although built in


def test_a_type_may_be_named_without_importing_it() -> None:
    class ByName(NameMaterializer):
        ASSOCIATED_TYPES = (f"{__name__}.Animal",)

    assert materializer_for(Dog) is ByName
    with pytest.raises(InvalidValue, match="'Animal'"):

        class Wrong(NameMaterializer):
            ASSOCIATED_TYPES = ("Animal",)


def test_skip_registration_is_not_inherited() -> None:
    class Hidden(NameMaterializer):
        SKIP_REGISTRATION = True
        ASSOCIATED_TYPES = (Animal,)

    assert materializer_for(Animal) is CloudpickleMaterializer

    class Shown(Hidden):
        pass

    assert materializer_for(Animal) is Shown


def test_a_better_materializer_for_a_built_in_type_may_build_on_the_built_in_one(tmp_path: Path) -> None:
    class Sorted(ContainerMaterializer):
        ASSOCIATED_TYPES = (list,)

        def save(self, data: Any) -> None:
            super().save(sorted(data))

    save([3, 1, 2], tmp_path)
    assert materializer_for(list) is Sorted
    assert load(tmp_path, list) == [1, 2, 3]


def test_elements_of_containers_are_saved_by_the_materializers_of_others(tmp_path: Path) -> None:
    class AnimalMaterializer(NameMaterializer):
        ASSOCIATED_TYPES = (Animal,)

    class SettingsMaterializer(BaseMaterializer):
        ASSOCIATED_TYPES = (Settings,)

        def save(self, data: Settings) -> None:
            Path(self.uri, "rate").write_text(str(data.rate))

        def load(self, data_type: type[Settings]) -> Settings:
            return data_type(float(Path(self.uri, "rate").read_text()))

    save({"pets": [Dog("d")], "settings": Settings(0.5)}, tmp_path)
    assert files(tmp_path) == ["data.json", "items/pets.0/name.txt", "items/settings/rate"]
    loaded = load(tmp_path, dict, trusted=False)
    assert type(loaded["pets"][0]) is Dog
    assert loaded["settings"] == Settings(0.5)


def test_a_value_whose_class_cannot_be_found_again_is_pickled_inside_a_container(tmp_path: Path) -> None:
    class AnimalMaterializer(NameMaterializer):
        ASSOCIATED_TYPES = (Animal,)

    class Local(Animal):
        pass

    save([Local("x")], tmp_path)
    [loaded] = load(tmp_path, list)
    assert (type(loaded), loaded.name) == (Local, "x")


@pytest.mark.parametrize(
    ("data", "chosen"),
    [
        (dict[str, int], ContainerMaterializer),
        (type(None), PlainMaterializer),
        (Colour, PlainMaterializer),
        (Level.LOW, PlainMaterializer),
        (IntEnum, PlainMaterializer),
        (True, PlainMaterializer),
        (ExecutionStatus.FAILED, PlainMaterializer),
        (Number(1), CloudpickleMaterializer),
        (Mapping(), CloudpickleMaterializer),
        (Pair(1, 2), ContainerMaterializer),
        (Settings, DataclassMaterializer),
        (BaseModel, PydanticMaterializer),
        (object(), CloudpickleMaterializer),
        (Plain, CloudpickleMaterializer),
        (len, CloudpickleMaterializer),
        (type, CloudpickleMaterializer),
    ],
)
def test_the_choice_among_the_built_in_ones(data: Any, chosen: type[BaseMaterializer]) -> None:
    assert materializer_for(data) is chosen


def test_the_table_of_built_in_materializers_agrees_with_their_classes() -> None:
    """The table exists so that choosing imports nothing; it must not drift from what the classes say."""
    classes = [
        PlainMaterializer,
        BytesMaterializer,
        ContainerMaterializer,
        PathMaterializer,
        StructuredStringMaterializer,
        PydanticMaterializer,
    ]
    table = {**builtin.EXACT_TYPES, **builtin.TYPES_WITH_SUBCLASSES}
    for materializer in classes:
        listed = {name for name, chosen in table.items() if chosen == qualified_name(materializer)}
        said = {name if isinstance(name, str) else qualified_name(name) for name in materializer.ASSOCIATED_TYPES}
        assert listed == said


@pytest.mark.parametrize("name", sorted({*builtin.INLINE, builtin.FALLBACK}))
def test_every_name_in_the_table_is_a_materializer(name: str) -> None:
    assert issubclass(registry.by_name(name), BaseMaterializer)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_package.things.ThingMaterializer", "cannot be imported.*no_such_package"),
        ("artfs.materializers.plain.NoSuchMaterializer", "no NoSuchMaterializer"),
        ("collections.OrderedDict", "no subclass of BaseMaterializer"),
        ("nonsense", "cannot be imported"),
        ("", "cannot be imported"),
        (".relative.Thing", "cannot be imported"),
        ("library.test.<locals>.Thing", "cannot be imported"),
        ("__main__.NoSuchThing", "script or notebook"),
    ],
)
def test_an_unknown_materializer_is_one_line_with_its_name(name: str, problem: str) -> None:
    with pytest.raises(MaterializerNotFound, match=problem) as raised:
        registry.by_name(name)
    assert raised.value.subject == name
    assert "\n" not in str(raised.value)


def test_a_module_that_fails_to_import_is_named_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_things.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MaterializerNotFound, match="no_such_dependency"):
        registry.by_name("broken_things.ThingMaterializer")


def test_classes_are_found_by_name() -> None:
    assert find_by_name("support.sample_types.Colour") is Colour
    assert find_by_name("collections.abc.Mapping.get") is __import__("collections").abc.Mapping.get
    assert registry.type_by_name("builtins.NoneType") is type(None)
    assert registry.type_by_name("builtins.ellipsis") is type(...)
    with pytest.raises(ClassNotFound, match="is no class"):
        registry.type_by_name("os.path.join")


def test_a_class_that_is_gone_matters_only_to_materializers_that_need_it() -> None:
    assert registry.type_to_load("support.sample_types.Plain", NameMaterializer) is Plain
    assert registry.type_to_load("gone.Thing", CloudpickleMaterializer) is object
    with pytest.raises(ClassNotFound, match=r"gone\.Thing"):
        registry.type_to_load("gone.Thing", NameMaterializer)


def test_what_is_importable_is_told_from_what_is_local() -> None:
    class Local:
        pass

    assert is_importable(Colour)
    assert is_importable(len)
    assert not is_importable(Local)
    assert not is_importable(lambda: None)
    assert not is_importable(5)


def test_a_materializer_without_save_or_load_cannot_be_made(tmp_path: Path) -> None:
    class Half(BaseMaterializer):
        def save(self, data: Any) -> None:
            pass

    with pytest.raises(TypeError, match="load"):
        Half(tmp_path)  # type: ignore[abstract]


def test_a_materializer_knows_its_directory_and_its_store(tmp_path: Path) -> None:
    store = object()
    materializer = JsonMaterializer(tmp_path, store)
    assert (materializer.uri, materializer.artifact_store, materializer.trusted) == (str(tmp_path), store, False)


# -- other processes and installed packages --


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory for sys.path with a package that is installed there, entry points and all."""
    site = tmp_path / "site"
    (site / "shapes").mkdir(parents=True)
    (site / "shapes" / "__init__.py").write_text(
        "class Circle:\n    def __init__(self, radius):\n        self.radius = radius\n"
        "class Square:\n    def __init__(self, side):\n        self.side = side\n"
    )
    (site / "shapes" / "artfs_support.py").write_text(
        "from pathlib import Path\n"
        "from artfs.materializers import BaseMaterializer\n"
        "class CircleMaterializer(BaseMaterializer):\n"
        "    ASSOCIATED_TYPES = ('shapes.Circle',)\n"
        "    def save(self, data):\n        Path(self.uri, 'radius').write_text(str(data.radius))\n"
        "    def load(self, data_type):\n        return data_type(float(Path(self.uri, 'radius').read_text()))\n"
    )
    (site / "shapes" / "early.py").write_text(
        "import shapes\n"
        "from artfs.materializers import BaseMaterializer\n"
        "class SquareMaterializer(BaseMaterializer):\n"
        "    ASSOCIATED_TYPES = (shapes.Square,)\n"
        "    def save(self, data): ...\n"
        "    def load(self, data_type): ...\n"
    )
    info = site / "shapes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shapes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[artfs.materializers]\n"
        "shapes.Circle = shapes.artfs_support:CircleMaterializer\n"
        "shapes = shapes.early\n"
        "broken.Thing = shapes.no_such_module:ThingMaterializer\n"
        "not.Right = shapes:Circle\n"
    )
    return site


def _run(code: str, *paths: Path, arguments: tuple[Path, ...] = ()) -> str:
    environment = {"PYTHONPATH": ":".join(map(str, [*paths, "tests", Path.cwd()])), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout


def test_an_installed_package_is_used_without_being_imported_first(tmp_path: Path, installed: Path) -> None:
    (tmp_path / "saved").mkdir()
    _run(
        "import sys\n"
        "from artfs.materializers import materializer_for\n"
        "materializer_for(int)\n"
        "assert 'shapes.artfs_support' not in sys.modules, 'only needed for circles'\n"
        "from shapes import Circle, Square\n"
        "assert materializer_for(Square).__name__ == 'SquareMaterializer'\n"
        "made = materializer_for(Circle)(sys.argv[1])\n"
        "made.save(Circle(2.5))\n",
        installed,
        arguments=(tmp_path / "saved",),
    )
    assert files(tmp_path / "saved") == ["radius"]
    shown = _run(
        "import sys\n"
        "from artfs.materializers.registry import registry\n"
        "loader = registry.by_name('shapes.artfs_support.CircleMaterializer')(sys.argv[1])\n"
        "print(loader.load(registry.type_by_name('shapes.Circle')).radius)\n",
        installed,
        arguments=(tmp_path / "saved",),
    )
    assert shown == "2.5\n"


def test_a_broken_entry_point_is_reported_and_stops_nothing(installed: Path) -> None:
    shown = _run(
        "import logging, sys\n"
        "logging.basicConfig(stream=sys.stdout, format='%(message)s')\n"
        "from artfs.materializers import materializer_for\n"
        "for module in ('broken', 'not'):\n"
        "    thing = type('Thing' if module == 'broken' else 'Right', (), {'__module__': module})\n"
        "    print(materializer_for(thing).__name__, materializer_for(thing).__name__)\n",
        installed,
    )
    first, *rest = shown.splitlines()
    assert "'broken.Thing'" in first
    assert "shapes.no_such_module" in first
    assert rest[0] == "CloudpickleMaterializer CloudpickleMaterializer"
    assert "shapes:Circle is no subclass of BaseMaterializer" in rest[1]
    assert rest[2] == "CloudpickleMaterializer CloudpickleMaterializer"


def test_importing_and_choosing_is_light() -> None:
    shown = _run(
        "import sys\n"
        "import artfs.materializers\n"
        "from artfs.materializers.registry import registry\n"
        "names = [registry.name_for(kind) for kind in (int, dict, object)]\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'cloudpickle', 'torch', 'sqlite3', 'fsspec'}\n"
        "print(sorted(heavy & set(sys.modules)), [name for name in sys.modules if name.startswith('artfs.mat')])"
    )
    heavy, _, loaded = shown.partition("] ")
    assert heavy == "["
    assert "plain" not in loaded
    assert "pickle" not in loaded
