"""The settings in `config.toml`: what each means, its default, and what values it takes."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt, MinLen

from artfs.content.files import atomic_write
from artfs.enums import Retention
from artfs.errors import HomeError
from artfs.sharing import GROUP, OWNER, Sharing


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one home. Unknown keys and values out of range are errors.

    Args:
        quiet_file_seconds: a file in /incoming is complete after this long unwritten.
        quiet_unproven_seconds: the same while a program that writes it lives and its format does not prove its end.
        quiet_directory_seconds: the same for a directory, when the programs that wrote it have ended.
        quiet_living_seconds: the same for a directory while one of them lives.
        quiet_unit_seconds: a checkpoint whose last file is there is complete after this long unwritten.
        retention: whether the oldest versions that drafts became by themselves go when the disk is short of room
            ("room"), or all stay ("keep"); an artifact may say otherwise.
        active_stack: the stack that new versions go to.
        landing: folder that bytes land in for stores of other machines; in the home when not given.
        cache_bytes: the most that the disk cache of stores elsewhere may take.
        share: whether the home is for its owner alone, or for the group that its folder belongs to.
    """

    quiet_file_seconds: Annotated[float, Gt(0)] = 2.0
    quiet_unproven_seconds: Annotated[float, Gt(0)] = 10.0
    quiet_directory_seconds: Annotated[float, Gt(0)] = 10.0
    quiet_living_seconds: Annotated[float, Gt(0)] = 60.0
    quiet_unit_seconds: Annotated[float, Gt(0)] = 2.0
    retention: Retention = Retention.ROOM
    active_stack: Annotated[str, MinLen(1)] = "default"
    landing: Annotated[str, MinLen(1)] | None = None
    cache_bytes: Annotated[int, Gt(0)] = 10 * 2**30
    share: Literal["owner", "group"] = "owner"


def sharing_of(config: Config) -> Sharing:
    """Return the modes of a home with these settings."""
    return GROUP if config.share == "group" else OWNER


def read_config(path: Path) -> Config:
    """Return the settings in the TOML file at `path`, or the defaults when there is none.

    Raises:
        HomeError: the file cannot be read, is not TOML, or has an unknown key or a bad value.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Config()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HomeError(f"cannot read {path}: {error}; correct the file or remove it", subject=path) from None
    except OSError as error:
        raise HomeError(f"cannot read {path}: {os.strerror(error.errno or 0)}", subject=path) from None
    return _validated(values, path)


def change_config(path: Path, changes: dict[str, Any]) -> Config:
    """Write `changes` into the TOML file at `path`, keep its comments and other keys, and return all settings.

    A value of None removes the key, which brings its default back.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    read_config(path)
    document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    for key, value in changes.items():
        if value is None:
            document.pop(key, None)
        else:
            document[key] = value
    config = _validated(document.unwrap(), path)
    try:
        atomic_write(path, tomlkit.dumps(document).encode(), mode=sharing_of(config).file)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise HomeError(f"cannot write {path}: {reason}; allow it, or use another home", subject=path) from error
    except TOMLKitError as error:
        raise HomeError(f"cannot write {path}: {error}", subject=path) from error
    return config


def _validated(values: dict[str, Any], path: Path) -> Config:
    # Here, as it takes a while to import, and most homes have no such file.
    from pydantic import TypeAdapter, ValidationError

    if unknown := [key for key in values if key not in (known := [field.name for field in fields(Config)])]:
        raise HomeError(f"unknown key '{unknown[0]}' in {path}; known keys are {', '.join(known)}", subject=path)
    try:
        return TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise HomeError(f"bad value for '{key}' in {path}: {first['msg']}", subject=path) from None
