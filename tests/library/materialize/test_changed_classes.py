"""A value whose class has changed since comes back as it was, or names the field that its class does not take."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from artfs import load_artifact, pipeline, save_artifact, step
from artfs.errors import MaterializerError
from support.sample_types import Plain

_HEAD = """
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Literal, NamedTuple
from pydantic import AliasChoices, BaseModel, Field, FilePath, PrivateAttr, RootModel, field_validator
"""
DATACLASS, SLOTS = "@dataclass\nclass C:", "@dataclass(frozen=True, slots=True)\nclass C:"
MODEL, NAMED_TUPLE = "class C(BaseModel):", "class C(NamedTuple):"
KINDS = [DATACLASS, SLOTS, MODEL, NAMED_TUPLE]

Write = Callable[..., ModuleType]


@pytest.fixture
def write(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the user's module, as it is from now on."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(kind: str, *lines: str) -> ModuleType:
        (tmp_path / "cfg.py").write_text("\n    ".join((_HEAD + kind, *lines)) + "\n")
        sys.modules.pop("cfg", None)
        importlib.invalidate_caches()
        return importlib.import_module("cfg")

    return write


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrap", [lambda each: each, lambda each: {"a": [each]}, Plain], ids=["bare", "inner", "pickled"]
)
def test_a_field_that_was_renamed_is_named(write: Write, kind: str, wrap: Any) -> None:
    save_artifact(wrap(write(kind, "lr: float = 0.1").C(lr=0.5)), "c")
    write(kind, "learning_rate: float = 0.1")
    with pytest.raises(MaterializerError, match=r"the class has no lr any more") as raised:
        load_artifact("c")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [lambda each: each, Plain], ids=["bare", "pickled"])
def test_a_field_that_was_added_takes_its_default(write: Write, kind: str, wrap: Any) -> None:
    save_artifact(wrap(write(kind, "lr: float = 0.1").C(lr=0.5)), "c")
    write(kind, "lr: float = 0.1", "steps: int = 3")
    loaded = load_artifact("c")
    value = loaded.value if isinstance(loaded, Plain) else loaded
    assert (value.lr, value.steps) == (0.5, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_without_a_default_is_named(write: Write, kind: str) -> None:
    save_artifact(write(kind, "lr: float").C(lr=0.5), "c")
    write(kind, "lr: float", "steps: int")
    with pytest.raises(MaterializerError, match="the saved value has no steps"):
        load_artifact("c")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", [lambda each: each, Plain], ids=["bare", "pickled"])
@pytest.mark.parametrize("annotation", ["str", "Literal['a', 'b']", "list[float]", "int | None"])
def test_a_field_that_does_not_take_its_value_any_more_is_named(
    write: Write, kind: str, wrap: Any, annotation: str
) -> None:
    save_artifact(wrap(write(kind, "lr: float").C(lr=0.5)), "c")
    write(kind, f"lr: {annotation}")
    with pytest.raises(MaterializerError, match="does not accept its lr any more"):
        load_artifact("c")


@pytest.mark.parametrize("kind", [DATACLASS, SLOTS, NAMED_TUPLE])
def test_a_value_that_never_was_what_its_field_says_is_kept(write: Write, kind: str) -> None:
    made = write(kind, "lr: str").C(lr=(0.5,))
    save_artifact([made, Plain(made)], "c")
    first, second = load_artifact("c")
    assert first == second.value == made


def test_a_model_that_is_not_valid_is_kept_as_it_is(write: Write) -> None:
    made = write(MODEL, "lr: float", "name: str = ''").C.model_construct(lr="no number", name="x")
    save_artifact(made, "c")
    assert vars(load_artifact("c")) == {"lr": "no number", "name": "x"}
    write(MODEL, "lr: float", "name: int = 0")
    with pytest.raises(MaterializerError, match="its name any more"):
        load_artifact("c")


def test_validators_see_the_value_and_do_not_change_it(write: Write) -> None:
    validator = ("@field_validator('name')", "def longer(cls, value): return value + '!'")
    made = write(MODEL, "name: str", *validator).C(name="x")
    save_artifact(made, "c")
    assert made.name == load_artifact("c").name == "x!"
    write(MODEL, "name: str", "@field_validator('name')", "def short(cls, value): raise ValueError('too long')")
    with pytest.raises(MaterializerError, match=r"does not accept its name any more: .*too long"):
        load_artifact("c")


def test_a_model_that_lost_a_private_or_an_extra_attribute_names_it(write: Write) -> None:
    made = write(MODEL, "_secret: int = 1", "model_config = {'extra': 'allow'}").C(more=5)
    made._secret = 2
    save_artifact(made, "c")
    write(MODEL, "model_config = {'extra': 'allow'}")
    with pytest.raises(MaterializerError, match="has no _secret any more"):
        load_artifact("c")
    write(MODEL, "_secret: int = 1")
    with pytest.raises(MaterializerError, match="has no more any more"):
        load_artifact("c")
    write(MODEL, "_secret: int = 1", "_new: int = 7", "more: int = 0")
    loaded = load_artifact("c")
    assert (loaded._secret, loaded._new, loaded.more) == (2, 7, 5)


@pytest.mark.parametrize("alias", ["alias='lr'", "validation_alias=AliasChoices('learning_rate', 'lr')"])
def test_a_renamed_field_of_a_model_may_have_its_old_name_as_an_alias(write: Write, alias: str) -> None:
    save_artifact(write(MODEL, "lr: float = 0.1").C(lr=0.5), "c")
    write(MODEL, f"learning_rate: float = Field(0.1, {alias})")
    loaded = load_artifact("c")
    assert (loaded.learning_rate, loaded.model_fields_set) == (0.5, {"learning_rate"})


def test_a_model_of_one_list_is_validated(write: Write) -> None:
    save_artifact(write("class C(RootModel[list[int]]):", "pass").C([1, 2]), "c")
    assert load_artifact("c").root == [1, 2]
    write("class C(RootModel[list[bool]]):", "pass")
    with pytest.raises(MaterializerError, match="does not accept its root any more"):
        load_artifact("c")


@pytest.mark.parametrize("kind", [DATACLASS, MODEL])
def test_what_was_computed_once_is_no_field(write: Write, kind: str) -> None:
    computed = ("@cached_property", "def twice(self): return self.lr * 2")
    made = write(kind, "lr: float", *computed).C(lr=0.5)
    assert made.twice == 1.0
    save_artifact(made, "c")
    assert vars(load_artifact("c")) == {"lr": 0.5, "twice": 1.0}
    write(kind, "lr: float")
    assert load_artifact("c").lr == 0.5


@pytest.mark.parametrize("kind", [DATACLASS, SLOTS])
@pytest.mark.parametrize(
    "now", ["lr: 'ClassVar[float]' = 0.1", "lr: InitVar[float] = 0.1", "lr = property(lambda self: 1)"]
)
def test_a_field_that_became_something_else_is_named(write: Write, kind: str, now: str) -> None:
    save_artifact(write(kind, "lr: float = 0.1").C(lr=0.5), "c")
    write(f"from dataclasses import InitVar\nfrom typing import ClassVar\n{kind}", now)
    with pytest.raises(MaterializerError, match="has no lr any more"):
        load_artifact("c")


def test_a_field_that_a_property_would_hide_is_named(write: Write) -> None:
    save_artifact(write(DATACLASS, "lr: float = 0.1").C(lr=0.5), "c")
    write(DATACLASS, "lr: float = 0.1").C.lr = property(lambda self: 0.1, lambda self, value: None)
    with pytest.raises(MaterializerError, match="has no lr any more"):
        load_artifact("c")


def test_an_output_of_a_step_names_the_field(write: Write) -> None:
    module = write(SLOTS, "lr: float = 0.1")

    @step
    def configure() -> Any:
        return module.C(lr=0.5)

    @pipeline
    def configuring() -> None:
        configure()

    output = configuring().steps["configure"].output
    write(SLOTS, "rate: float = 0.1")
    with pytest.raises(MaterializerError, match="has no lr any more"):
        output.load()
