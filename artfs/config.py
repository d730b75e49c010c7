"""The settings in `config.toml`: what each means, its default, and what values it takes."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tomlkit.exceptions import TOMLKitError

from artfs.content.files import atomic_write
from artfs.errors import HomeError


class Config(BaseModel):
    """Settings of one home. Unknown keys and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quiet_file_seconds: float = Field(
        default=2.0, gt=0, description="A file in /incoming is complete after this long unwritten"
    )
    quiet_directory_seconds: float = Field(default=10.0, gt=0, description="The same for a directory")
    active_stack: str = Field(default="default", min_length=1, description="The stack that new versions go to")
    cache_limit_bytes: int = Field(
        default=10 * 2**30, ge=0, description="How much of remote stores to keep on this machine"
    )


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
    read_config(path)
    document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    for key, value in changes.items():
        if value is None:
            document.pop(key, None)
        else:
            document[key] = value
    config = _validated(document.unwrap(), path)
    try:
        atomic_write(path, tomlkit.dumps(document).encode())
    except (OSError, TOMLKitError) as error:
        raise HomeError(f"cannot write {path}: {error}", subject=path) from error
    return config


def _validated(values: dict[str, Any], path: Path) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(Config.model_fields)
            raise HomeError(f"unknown key '{key}' in {path}; known keys are {known}", subject=path) from None
        raise HomeError(f"bad value for '{key}' in {path}: {first['msg']}", subject=path) from None
