"""Helpers on top of `artfs.io.fileio` that find, read, write and copy files in artifact stores and outside of them."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from artfs.errors import InvalidValue
from artfs.home.home import Home
from artfs.io import fileio
from artfs.io.fileio import convert_to_str
from artfs.stores.flavor import PathType
from artfs.stores.local.store import local_path

__all__ = [
    "convert_to_str",
    "copy_dir",
    "create_dir_if_not_exists",
    "create_dir_recursive_if_not_exists",
    "create_file_if_not_exists",
    "find_files",
    "get_global_config_directory",
    "get_grandparent",
    "get_parent",
    "is_remote",
    "is_root",
    "move",
    "read_file_contents_as_string",
    "resolve_relative_path",
    "write_file_contents_as_string",
]


def write_file_contents_as_string(file_path: PathType, content: str) -> None:
    """Write a text to a file, in UTF-8, replacing what is there.

    Raises:
        TypeError: `content` is no text.
    """
    if not isinstance(content, str):
        raise TypeError(f"content must be a str, not {type(content).__name__}")
    with fileio.open(file_path, "wb") as file:
        file.write(content.encode("utf-8"))


def read_file_contents_as_string(file_path: PathType) -> str:
    """Return the text in a file that is in UTF-8; FileNotFoundError if there is none."""
    with fileio.open(file_path, "rb") as file:
        content: bytes = file.read()
    return content.decode("utf-8")


def find_files(dir_path: PathType, pattern: str) -> Iterator[str]:
    """Yield the full paths of the files below a directory, at any depth, whose names match a pattern like `*.png`."""
    for directory, _, names in fileio.walk(dir_path):
        for name in fnmatch.filter(names, pattern):
            yield f"{directory.rstrip('/')}/{name}"


def copy_dir(source_dir: PathType, destination_dir: PathType, overwrite: bool = False) -> None:
    """Copy all that is in a directory, also to another store. Links are followed.

    Args:
        source_dir, destination_dir: path or URI. A destination in the source is not copied into itself.
        overwrite: whether files that are there may be replaced; else FileExistsError.

    Raises:
        InvalidValue: a link leads to a directory above it, so that there would be no end.
    """
    target = convert_to_str(destination_dir)
    _copy_into(convert_to_str(source_dir), target, overwrite, (), _without_links(target))


def move(source: PathType, destination: PathType, overwrite: bool = False) -> None:
    """Give a file or directory another path; see `fileio.rename`."""
    fileio.rename(source, destination, overwrite)


def create_file_if_not_exists(file_path: PathType, file_contents: str = "{}") -> None:
    """Make a file with that text, and the directories above it, unless it is there."""
    if not fileio.exists(file_path):
        create_dir_recursive_if_not_exists(os.path.dirname(convert_to_str(file_path)) or ".")
        write_file_contents_as_string(file_path, file_contents)


def create_dir_if_not_exists(dir_path: PathType) -> None:
    """Make a directory in an existing one, unless it is there."""
    if not fileio.isdir(dir_path):
        fileio.mkdir(dir_path)


def create_dir_recursive_if_not_exists(dir_path: PathType) -> None:
    """Make a directory and those above it, unless they are there."""
    if not fileio.isdir(dir_path):
        fileio.makedirs(dir_path)


def is_remote(path: PathType) -> bool:
    """Return whether a path is a URI of something that is not on this machine."""
    return local_path(convert_to_str(path)) is None


def is_root(path: PathType) -> bool:
    """Return whether a local path has nothing above it."""
    return Path(convert_to_str(path)).parent == Path(convert_to_str(path))


def resolve_relative_path(path: PathType) -> str:
    """Return a local path absolute and without links, and a URI as it is."""
    text = convert_to_str(path)
    return text if is_remote(text) else str(Path(local_path(text) or text).resolve())


def get_parent(dir_path: PathType) -> str:
    """Return the name of the directory above, without what follows a dot."""
    return Path(convert_to_str(dir_path)).parent.stem


def get_grandparent(dir_path: PathType) -> str:
    """Return the name of the directory above the one above, without what follows a dot."""
    return Path(convert_to_str(dir_path)).parent.parent.stem


def get_global_config_directory() -> str:
    """Return artfs's own directory, see `artfs.home.home`."""
    return str(Home.find().path)


def _copy_into(source: str, target: str, overwrite: bool, above: tuple[str, ...], destination: str) -> None:
    """Copy a directory.

    Args:
        above: the directories that are being copied, without links.
        destination: the whole copy, without links; it is left out.
    """
    here = _without_links(source)
    if here in above:
        raise InvalidValue(f"'{source}' leads to a directory above it: copying would not end", subject=source)
    names = fileio.listdir(source)
    fileio.makedirs(target)
    for name in names:
        inner, there = os.path.join(source, name), os.path.join(target, name)
        if not fileio.isdir(inner):
            fileio.copy(inner, there, overwrite)
        elif _without_links(inner) != destination:
            _copy_into(inner, there, overwrite, (*above, here), destination)


def _without_links(path: str) -> str:
    local = local_path(path)
    return os.path.realpath(local) if local is not None else path.rstrip("/")
