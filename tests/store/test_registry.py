"""Which class serves a flavour: built in, defined here, installed with an entry point, or named by an option."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from artfs.errors import InvalidValue, MissingLibrary, StoreError
from artfs.stores import BaseArtifactStore, LocalStore, StoreFlavor, built_in
from artfs.stores import registry as registry_module
from artfs.stores.built_in import CUSTOM
from artfs.stores.flavor import Defined
from artfs.stores.registry import FlavorRegistry, check_options, registry, store_class
from support.installed import install
from support.stores import MemoryStore

SHELF = """
from artfs.stores import LocalStore

class ShelfStore(LocalStore):
    FLAVOR = "shelf"
    SUPPORTED_SCHEMES = {"/"}
    OPTIONS = frozenset({"height"})
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with stores, installed and importable."""
    made = install(
        tmp_path / "site",
        "shelves",
        {
            "stores.py": SHELF,
            "abstract.py": "from artfs.stores import BaseArtifactStore\nclass Half(BaseArtifactStore): ...\n",
            "broken.py": "raise RuntimeError('out of order')\n",
        },
        "[artfs.stores]\n"
        "shelf = shelves.stores:ShelfStore\n"
        "broken = shelves.broken:Store\n"
        "half = shelves.abstract:Half\n"
        "number = shelves.stores:__doc__\n",
    )
    monkeypatch.syspath_prepend(str(made))
    yield made
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelves"]:
        del sys.modules[name]


class TestByName:
    def test_built_in(self) -> None:
        assert store_class("local") is LocalStore

    def test_defined_here(self) -> None:
        assert store_class("memory") is MemoryStore

    @pytest.mark.parametrize(("flavor", "extra"), [("s3", "s3"), ("gcs", "gcs"), ("gcp", "gcs"), ("azure", "azure")])
    def test_one_that_this_release_lacks_says_so(
        self, monkeypatch: pytest.MonkeyPatch, flavor: str, extra: str
    ) -> None:
        lacking = {extra: built_in.BuiltIn("artfs.stores.not_there:Store", (f"{extra}://",), extra)}
        monkeypatch.setattr(registry_module, "BUILT_IN", lacking)
        with pytest.raises(StoreError, match=rf"'{extra}' is not part of this release yet .*artfs\[{extra}\]"):
            store_class(flavor)

    def test_one_whose_library_is_missing_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "needy.py").write_text("import surely_not_installed\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        needy = built_in.BuiltIn("needy:Store", ("s3://",), "s3")
        monkeypatch.setattr(registry_module, "BUILT_IN", {"s3": needy})
        with pytest.raises(MissingLibrary, match=r"'s3' needs surely_not_installed: pip install 'artfs\[s3\]'"):
            store_class("s3")
        (flavor,) = [each for each in registry.flavors() if each.name == "s3"]
        assert flavor.problem is not None and "pip install 'artfs[s3]'" in flavor.problem

    def test_an_unknown_one(self) -> None:
        with pytest.raises(StoreError, match=r"no artifact store flavor 'floppy'; known flavors are local, .*memory"):
            store_class("floppy")


class TestBySubclass:
    def test_the_name_may_be_spelled_as_in_zenml(self) -> None:
        class Spelled(MemoryStore):
            FLAVOR: ClassVar[str] = "test-spelled"

        assert store_class("test-spelled") is Spelled
        assert Spelled("memory://x").flavor == "test-spelled"

    def test_a_class_defined_again_takes_over(self) -> None:
        def define() -> type[StoreFlavor]:
            class Again(MemoryStore):
                flavor = "test-again"

            return Again

        assert define() is not (newest := define())
        assert store_class("test-again") is newest

    @pytest.mark.parametrize("name", ["local", "s3", "gcp", "custom"])
    def test_artfs_own_flavors_cannot_be_replaced(self, name: str) -> None:
        with pytest.raises(InvalidValue, match="artfs's own: choose another"):
            type("Usurper", (MemoryStore,), {"FLAVOR": name})
        assert store_class("local") is LocalStore

    def test_a_class_has_to_say_its_schemes(self) -> None:
        with pytest.raises(InvalidValue, match=r"needs SUPPORTED_SCHEMES, for example {'test-bare://'}"):
            type("Bare", (MemoryStore,), {"FLAVOR": "test-bare", "SUPPORTED_SCHEMES": set()})

    def test_one_that_is_not_complete_is_no_flavor(self) -> None:
        class Half(BaseArtifactStore):
            FLAVOR: ClassVar[str] = "test-half"

        with pytest.raises(StoreError, match="no artifact store flavor 'test-half'"):
            store_class("test-half")


class TestInstalled:
    def test_it_is_found_without_being_imported_first(self, site: Path) -> None:
        found = FlavorRegistry(Defined())
        assert "shelves.stores" not in sys.modules
        shelf = found.find("shelf")
        assert shelf.__module__ == "shelves.stores" and issubclass(shelf, LocalStore)
        assert found.find("shelf") is shelf

    @pytest.mark.parametrize(
        ("flavor", "why"),
        [
            ("broken", r"shelves\.broken:Store cannot be imported \(out of order\)"),
            ("half", r"shelves\.abstract:Half is no complete artifact store: it lacks copyfile, exists"),
            ("number", "is no artifact store: it is no subclass of BaseArtifactStore"),
        ],
    )
    def test_one_that_cannot_be_used_says_why_and_stops_no_other(self, site: Path, flavor: str, why: str) -> None:
        found = FlavorRegistry(Defined())
        with pytest.raises(StoreError, match=why):
            found.find(flavor)
        listed = {each.name: each for each in found.flavors()}
        assert listed[flavor].problem is not None
        assert listed["shelf"].problem is None
        assert listed["shelf"].schemes == ("/",)

    @pytest.mark.expected_warnings("the entry point 's3' of artfs.stores is left out")
    def test_artfs_own_flavors_cannot_be_replaced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        site = install(tmp_path / "site", "usurper", {"s.py": SHELF}, "[artfs.stores]\ns3 = usurper.s:ShelfStore\n")
        monkeypatch.syspath_prepend(str(site))
        assert "usurper.s:ShelfStore" not in [each.source for each in FlavorRegistry(Defined()).flavors()]

    def test_looking_for_artfs_own_reads_no_entry_points(self) -> None:
        program = (
            "import sys; from artfs.stores.registry import store_class; store_class('local')\n"
            "assert not {'importlib.metadata', 'fsspec'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", program], check=True, env=os.environ)


class TestCustom:
    @pytest.mark.parametrize("target", ["support.stores:MemoryStore", "support.stores.MemoryStore"])
    def test_any_class_can_be_named(self, target: str) -> None:
        assert store_class(CUSTOM, {"class": target}).__name__ == "MemoryStore"

    def test_a_class_without_a_flavor_is_custom(self) -> None:
        program = type("Plain", (MemoryStore,), {"flavor": "custom", "__module__": "artfs.stores.test"})
        assert BaseArtifactStore.flavor == program.flavor == CUSTOM

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({}, "needs the option 'class': package.module:Class"),
            ({"class": ""}, "needs the option 'class'"),
            ({"class": 3}, "needs the option 'class'"),
            ({"class": "no_such_module:Store"}, "cannot be imported"),
            ({"class": "support.stores:NoStore"}, "cannot be imported"),
            ({"class": "Store"}, "is no artifact store"),
            ({"class": "os:path"}, "is no artifact store"),
            ({"class": "artfs.stores:BaseArtifactStore"}, "is no complete artifact store"),
        ],
    )
    def test_what_names_no_class(self, options: dict[str, object], why: str) -> None:
        with pytest.raises((StoreError, InvalidValue), match=why):
            store_class(CUSTOM, options)

    def test_its_class_says_what_other_options_there_are(self) -> None:
        named = {"class": "support.stores:MemoryStore"}
        check_options(CUSTOM, {**named, "asynchronous": False})
        with pytest.raises(InvalidValue, match=r"has no option 'token': it takes asynchronous; passwords and keys"):
            check_options(CUSTOM, {**named, "token": "hunter2"})
        with pytest.raises(InvalidValue, match="has no option 'class'"):
            check_options("memory", named)
