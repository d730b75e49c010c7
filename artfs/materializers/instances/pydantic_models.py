"""The JSON form of pydantic models: their state, which comes back as it was once their class has said that it takes it.

Validation changes values (defaults, conversions, the user's own validators), so what it returns is not what was saved:
it only says yes or no, and gives the defaults of fields that are new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from artfs.classes import qualified_name
from artfs.errors import MaterializerError
from artfs.materializers.instances.fields import NotInline, overrides, require_importable
from artfs.materializers.instances.fitting import UNLIKE, changed, does_not_take

_EVERYTHING = "*"
"""In `unlike`: the model as a whole is not valid."""


def model_to_payload(model: Any) -> dict[str, Any]:
    """Return the state of a model: fields, which of them were set, extra and private attributes, and what is beside."""
    model_class = type(model)
    require_importable(model_class)
    if not has_pydantic_state(model_class):
        raise NotInline
    state = model.__getstate__()
    fields = {name: value for name, value in state["__dict__"].items() if name in model_class.model_fields}
    extra = state.get("__pydantic_extra__")
    return {
        "fields": fields,
        "set": sorted(state["__pydantic_fields_set__"]),
        "extra": extra,
        "private": state.get("__pydantic_private__"),
        "beside": {name: value for name, value in state["__dict__"].items() if name not in fields},
        UNLIKE: sorted({name for name, _ in _problems(model_class, fields, extra)[1]}),
    }


def has_pydantic_state(model_class: type[Any]) -> bool:
    """Return whether a model is pickled as pydantic does it, and not in a way of its own."""
    pydantic_pickling = all(
        getattr(model_class, name).__module__.startswith("pydantic.") for name in ("__getstate__", "__setstate__")
    )
    return pydantic_pickling and not overrides(model_class, object, "__reduce_ex__", "__reduce__")


def model_from_payload(model_class: type[Any], payload: Mapping[str, Any]) -> Any:
    """Return the model as it was; fields that its class has got since take their defaults."""
    from pydantic import BaseModel

    if not issubclass(model_class, BaseModel):
        raise MaterializerError(
            f"{qualified_name(model_class)} was a pydantic model when the value was saved, and no longer is"
        )
    model = model_class.__new__(model_class)
    set_state(model, payload)
    return model


def set_state(model: Any, payload: Mapping[str, Any]) -> None:
    """Give a model its state.

    Args:
        model: as `object.__new__` made it.
        payload: as `model_to_payload` returned it.

    Raises:
        MaterializerError: its class has lost a field, has got one without a default, or does not take a value.
    """
    model_class = type(model)
    fields, extra = _placed(model_class, payload)
    beside, private = payload.get("beside", {}), _private(model_class, payload["private"])
    if UNLIKE not in payload:  # of an older release, which put these among the fields
        beside = {name: fields.pop(name) for name in [*fields] if _is_cached(model_class, name)}
    gone = fields.keys() - model_class.model_fields.keys()
    if extra and model_class.model_config.get("extra") != "allow":
        gone |= extra.keys()
    missing = _required(model_class) - fields.keys()
    if gone or missing:
        raise changed(model_class, missing=missing, gone=gone)
    checked, problems = _problems(model_class, fields, extra)
    known = payload.get(UNLIKE, ())
    for name, why in problems:
        if name not in known and _EVERYTHING not in known:
            raise does_not_take(model_class, name, why)
    new = model_class.model_fields.keys() - fields.keys()
    if new and checked is None:
        raise changed(model_class, missing=new, gone=set())
    model.__setstate__(
        {
            "__dict__": {**fields, **{name: vars(checked)[name] for name in model_class.model_fields if name in new}}
            | beside,
            "__pydantic_fields_set__": {_present(model_class, name) for name in payload["set"]},
            "__pydantic_extra__": extra,
            "__pydantic_private__": private,
        }
    )


def _placed(model_class: type[Any], payload: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return fields and extra attributes by the names that the class has for them now."""
    fields = {_present(model_class, name): value for name, value in payload["fields"].items()}
    extra = payload["extra"]
    if extra:
        fields |= {name: value for name, value in extra.items() if name in model_class.model_fields}
        extra = {name: value for name, value in extra.items() if name not in fields}
    return fields, {} if extra is None and model_class.model_config.get("extra") == "allow" else extra


def _present(model_class: type[Any], name: str) -> str:
    """Return the field that a name means: its own, or one that has it as an alias, as a renamed one may have."""
    if name in model_class.model_fields:
        return name
    for present, field in model_class.model_fields.items():
        aliases = [field.alias, field.validation_alias, *getattr(field.validation_alias, "choices", ())]
        if name in [alias for alias in aliases if isinstance(alias, str)]:
            return present
    return name


def _private(model_class: type[Any], saved: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the private attributes, with the defaults of new ones."""
    from pydantic_core import PydanticUndefined

    present = model_class.__private_attributes__
    gone = (saved or {}).keys() - present.keys()
    if gone:
        raise changed(model_class, missing=set(), gone=gone)
    defaults = {name: each.get_default() for name, each in present.items() if name not in (saved or {})}
    if saved is None and not present:
        return None
    return {**(saved or {}), **{name: value for name, value in defaults.items() if value is not PydanticUndefined}}


def _problems(
    model_class: type[Any], fields: Mapping[str, Any], extra: Mapping[str, Any] | None
) -> tuple[Any, list[tuple[str, str]]]:
    """Return the model that validation makes of these, or None and for each field that is wrong what is."""
    from pydantic import RootModel, ValidationError

    given = fields.get("root") if issubclass(model_class, RootModel) else {**fields, **(extra or {})}
    try:
        return model_class.model_validate(given, by_name=True, by_alias=False), []
    except ValidationError as error:
        found = [(str(each["loc"][0]) if each["loc"] else _EVERYTHING, each["msg"]) for each in error.errors()]
    except Exception as error:  # noqa: BLE001 - a validator is the user's code, which may raise anything
        return None, [(_EVERYTHING, f"{type(error).__name__}: {error}")]
    if issubclass(model_class, RootModel):
        return None, [("root", why) for _, why in found]
    return None, [(_present(model_class, name), why) for name, why in found]


def _required(model_class: type[Any]) -> set[str]:
    return {name for name, field in model_class.model_fields.items() if field.is_required()}


def _is_cached(model_class: type[Any], name: str) -> bool:
    return name not in model_class.model_fields and hasattr(model_class, name)
