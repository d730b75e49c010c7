"""Files that a framework writes last: into the directory that is complete then, or to name what is complete.

A copy of a checkpoint brings its files in any order, so a marker only says what to look at: the directory is complete
when nothing in it has changed for a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from artfs_mount.incoming.complete.paths import name_of

MARKERS = frozenset(
    {
        b".metadata",  # torch.distributed.checkpoint
        b"_SUCCESS",  # Spark, Hadoop
        b"checkpoint",  # TensorFlow: names the newest one in its own directory
        b"commit_success.txt",  # Orbax
        b"dataset_info.json",  # Hugging Face datasets
        b"fingerprint.pb",  # TensorFlow SavedModel; saved_model.pb comes before it, and last without it
        b"trainer_state.json",  # Hugging Face Trainer
    }
)


def _directory(text: str) -> str:
    return text


def _iteration(text: str) -> str:
    return "release" if text == "release" else f"iter_{int(text):07d}"


POINTERS: Mapping[bytes, Callable[[str], str]] = {
    b"latest": _directory,  # DeepSpeed: global_step500
    b"latest_checkpointed_iteration.txt": _iteration,  # Megatron: 500
}
"""Files that name a directory beside them, and how their text says which."""

POINTER_BYTES = 256
"""More than a pointer holds."""

_OF_THE_TRAINER = frozenset({b"trainer_state.json"})
_CHECKPOINT = re.compile(rb"checkpoint-\d+")
_EXPECTED: tuple[tuple[re.Pattern[bytes], frozenset[bytes]], ...] = tuple(
    (re.compile(pattern), frozenset(markers))
    for pattern, markers in (
        (rb"training_args\.bin$", {b"trainer_state.json"}),
        (rb"__\d+_\d+\.distcp$", {b".metadata"}),
        (rb"data-\d+-of-\d+\.arrow$", {b"dataset_info.json"}),
        (rb"variables$", {b"saved_model.pb", b"fingerprint.pb"}),
    )
)
"""What lies in a directory only together with one of these markers, which comes later."""


_SHARD = re.compile(rb"(.+)-\d{5}-of-\d{5}\.(safetensors|bin)")


def _index_of(name: bytes) -> bytes | None:
    """The file that is written after a shard of a model's weights, and says which are in it."""
    shard = _SHARD.fullmatch(name)
    return None if shard is None else b"%s.%s.index.json" % shard.groups()


def is_marker(path: bytes) -> bool:
    """Whether a path in a draft is the one of a marker or a pointer."""
    name = name_of(path)
    return name in MARKERS or name in POINTERS


def target_of(pointer: bytes, content: bytes) -> bytes | None:
    """The name of the directory that a pointer's content names; None if it names none.

    >>> target_of(b"latest_checkpointed_iteration.txt", b"500\\n"), target_of(b"latest", b"../elsewhere")
    (b'iter_0000500', None)
    """
    try:
        name = POINTERS[pointer](content.decode("utf-8").strip())
    except ValueError:
        return None
    return name.encode() if name and "/" not in name and "\0" not in name and name not in (".", "..") else None


def missing_marker(directory: bytes, names: Collection[bytes]) -> bytes | None:
    """The marker that a directory with these names should have and has not; None if none is missing.

    directory: its own name. What the Trainer saves at the end lies elsewhere than its checkpoints, and has no marker.

    >>> missing_marker(b"checkpoint-500", {b"model.safetensors", b"training_args.bin"})
    b'trainer_state.json'
    >>> missing_marker(b"out", {b"model.safetensors", b"training_args.bin"})
    """
    for index in filter(None, map(_index_of, names)):
        if index not in names:
            return index
    for pattern, markers in _EXPECTED:
        if markers == _OF_THE_TRAINER and not _CHECKPOINT.fullmatch(directory):
            continue
        if not markers & set(names) and any(map(pattern.match, names)):
            return min(markers)
    return None
