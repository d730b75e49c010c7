"""Parameters of steps and pipelines: values that one JSON text holds, with the types that they have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from artfs.classes import qualified_name
from artfs.errors import ArtfsError, MaterializerError
from artfs.materializers.json.decode import decode
from artfs.materializers.json.encode import encode
from artfs.materializers.json.scalars import ATOMS


class NotPlain(MaterializerError):
    """A value holds another one that can be kept only in a file, as a pickle, or not at all."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"a value of type {qualified_name(type(value))} cannot be written as JSON")
        self.value = value


def to_form(value: Any) -> Any:
    """Return what stands for a value in JSON; `encode` says what it looks like.

    Raises:
        NotPlain: something in it is more than JSON can say, or its class would not be found again by its name.
        MaterializerError: it is nested too deeply.
    """
    kind = type(value)
    if kind in ATOMS and kind is not float:
        return value
    encoded = encode(value, paths_are_names=True)
    for other in [*(item.value for item in encoded.items), *encoded.pickled]:
        raise NotPlain(other)
    return json.loads(encoded.text)


def from_form(form: Any) -> Any:
    """Return the value that `to_form` was given.

    Raises:
        MaterializerError: a class has changed too much since.
        ClassNotFound: a class cannot be found under the name it had.
        UntrustedClass: a module would have to be imported that this home does not know.
    """
    kind = type(form)
    return form if kind in ATOMS else decode(json.dumps(form).encode(), _refused, _refused, trusted=True)


def from_forms(forms: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by name, from what was recorded of them; raises as `from_form`, with the parameter's name."""
    found = {}
    for name, form in forms.items():
        try:
            found[name] = from_form(form)
        except ArtfsError as error:
            raise type(error)(f"parameter '{name}': {error}", subject=error.subject) from error
    return found


def _refused(_: Any) -> NoReturn:
    raise MaterializerError("this value names a file, and a parameter has none: it was not recorded by artfs")
