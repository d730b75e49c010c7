"""What the name of a file or directory says about whether it is finished, and how it is written."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

_TEMPORARY = re.compile(
    rb"""
    (?: \.tmp (?: \d+ | \w{6,} )? | \.part(ial)?      # safetensors, browsers, many more; no .tmpl
      | (?:^|(?<=/)) tmp (?!_[a-z]+(?:/|\Z)) [a-z0-9_]{8}     # Python's tempfile; no tmp_results
      | \.tempstate\w* | variables_temp | ckpt[^/]*_temp    # TensorFlow
      | \.orbax-checkpoint-tmp(-\d+)? | \.__lock      # Orbax, tensorstore
      | -wal | -shm | \.\w+-journal                 # SQLite: part of the database beside it
    ) (?=/|\Z)
    | (?:^|(?<=/)) (?:
        tmp-checkpoint-                               # Hugging Face Trainer before 4.40
      | \.fuse_hidden | \.nfs[0-9a-f]                 # names of removed files that are still open
      | \.~lock\.                                     # office programs
    )
    """,
    re.VERBOSE,
)
"""Of a name, or of any name on a path."""
_STREAM = re.compile(rb"^events\.out\.tfevents\.|\.(csv|jsonl|log|ndjson|tsv)$")
_NUMBERED = re.compile(rb"(?:^|[^a-z])(?:checkpoint|ckpt|epoch|step|iter|iteration)(?![a-z]).*?\d", re.IGNORECASE)
_ENDING = re.compile(rb"\.([a-z]\w*)$", re.IGNORECASE)
_SAVED = frozenset(b"ckpt pt pth bin safetensors keras h5 hdf5 npz pkl pickle joblib json ubj model".split())
_PART = re.compile(rb"-\d+-of-\d+|(?:^|[^a-z])(?:rank|shard|part|worker|process)[^a-z0-9]?\d", re.IGNORECASE)
_DIGITS = re.compile(rb"\d+")

_REMEMBERED = 4096
"""Names, for each question: the rule asks about all of a draft again and again."""


class Numbered(NamedTuple):
    """One of several that are saved one after another: what all names have in common, and the numbers of this one."""

    series: bytes
    numbers: tuple[int, ...]


def is_temporary(name: bytes) -> bool:
    """Whether programs call something so that they rename or remove when they are done.

    >>> is_temporary(b"model.safetensors.tmpJ3k2a1"), is_temporary(b"7.orbax-checkpoint-tmp"), is_temporary(b"model.pt")
    (True, True, False)
    """
    return _TEMPORARY.search(name) is not None


@functools.lru_cache(_REMEMBERED)
def has_temporary(path: bytes) -> bool:
    """Whether any name on a path in a draft is a temporary one."""
    return _TEMPORARY.search(path) is not None


def temporary_part(path: bytes) -> bytes | None:
    """As much of a path as ends with its first temporary name; None if it has none.

    >>> temporary_part(b"run/7.orbax-checkpoint-tmp/0.tmp"), temporary_part(b"tmp-checkpoint-5/weights")
    (b'run/7.orbax-checkpoint-tmp', b'tmp-checkpoint-5')
    """
    found = _TEMPORARY.search(path)
    if found is None:
        return None
    end = path.find(b"/", found.end())
    return path if end < 0 else path[:end]


@functools.lru_cache(_REMEMBERED)
def is_stream(name: bytes) -> bool:
    """Whether files of this name are written from beginning to end for as long as a program runs.

    >>> is_stream(b"events.out.tfevents.1764.host.1.0"), is_stream(b"metrics.csv"), is_stream(b"model.pt")
    (True, True, False)
    """
    return _STREAM.search(name) is not None


@functools.lru_cache(_REMEMBERED)
def is_never_empty(name: bytes) -> bool:
    """Whether a whole file of this name has bytes, so that an empty one is a save that has not come far.

    >>> is_never_empty(b"model.pt"), is_never_empty(b"model.safetensors.index.json"), is_never_empty(b"notes.txt")
    (True, True, False)
    """
    ending = _ENDING.search(name)
    return (ending is not None and ending[1].lower() in _SAVED - {b"json"}) or name.endswith(
        (b".index", b".index.json")
    )


def numbered(name: bytes) -> Numbered | None:
    """Which one of a series of checkpoints a name is; None if it is none, or one of the parts of a single save.

    >>> numbered(b"checkpoint-500"), numbered(b"rng_state_0.pth"), numbered(b"image-17.png")
    (Numbered(series=b'checkpoint-#', numbers=(500,)), None, None)
    """
    if _NUMBERED.search(name) is None or _PART.search(name) is not None or is_temporary(name):
        return None
    ending = _ENDING.search(name)
    if ending is not None and ending[1].lower() not in _SAVED:
        return None
    return Numbered(_DIGITS.sub(b"#", name), tuple(int(found[:18]) for found in _DIGITS.findall(name)))


def is_one_of_many(name: bytes) -> bool:
    """Whether a name is one of a series, also where it is only a number, as Orbax calls its checkpoints.

    >>> is_one_of_many(b"checkpoint-500"), is_one_of_many(b"500"), is_one_of_many(b"final")
    (True, True, False)
    """
    return name.isdigit() or numbered(name) is not None


@functools.lru_cache(_REMEMBERED)
def step_of(name: bytes) -> tuple[bytes, int] | None:
    """What the files of all steps have in common in their names, and the step; None if a name tells no step.

    >>> step_of(b"ckpt-7.data-00000-of-00002")
    (b'ckpt-#.data-00000-of-00002', 7)
    """
    found = _NUMBERED.search(name)
    step = _DIGITS.match(name, found.end() - 1) if found is not None else None
    return (name[: step.start()] + b"#" + name[step.end() :], int(step[0][:18])) if step is not None else None


def is_hidden(draft: str) -> bool:
    """Whether a draft is called as rsync, editors and others call files of their own, until they rename them."""
    return draft.startswith(".")
