"""Files that are written last: which they are, what they name, and where one is missing."""

from __future__ import annotations

import pytest

from artfs_mount.incoming.complete.markers import is_marker, missing_marker, target_of
from artfs_mount.incoming.complete.names import Numbered, is_one_of_many, is_stream, numbered

NAMED: dict[tuple[bytes, bytes], bytes | None] = {
    (b"latest", b"global_step500"): b"global_step500",
    (b"latest", b"global_step500\n"): b"global_step500",
    (b"latest", "größe".encode()): "größe".encode(),
    (b"latest", b""): None,
    (b"latest", b"."): None,
    (b"latest", b".."): None,
    (b"latest", b"a/b"): None,
    (b"latest", b"a\0b"): None,
    (b"latest", b"\xff"): None,
    (b"latest_checkpointed_iteration.txt", b"500\n"): b"iter_0000500",
    (b"latest_checkpointed_iteration.txt", b"release"): b"release",
    (b"latest_checkpointed_iteration.txt", b"12345678"): b"iter_12345678",
    (b"latest_checkpointed_iteration.txt", b""): None,
    (b"latest_checkpointed_iteration.txt", b"half of a n"): None,
}


@pytest.mark.parametrize("pointer", NAMED)
def test_what_a_pointer_names(pointer: tuple[bytes, bytes]) -> None:
    assert target_of(*pointer) == NAMED[pointer]


MISSING: dict[str, bytes | None] = {
    "": None,
    "a b c": None,
    "__0_0.distcp": b".metadata",
    "__0_0.distcp .metadata": None,
    "__0_0.distcp .metadata.tmp": b".metadata",
    "data-00000-of-00002.arrow state.json": b"dataset_info.json",
    "data-00000-of-00002.arrow state.json dataset_info.json": None,
    "state.json": None,
    "variables assets fingerprint.pb": None,
    "variables assets saved_model.pb": None,
}


@pytest.mark.parametrize("names", MISSING)
def test_where_a_marker_is_missing(names: str) -> None:
    assert missing_marker(b"out", set(names.encode().split())) == MISSING[names]


@pytest.mark.parametrize("name", [b".metadata", b"trainer_state.json", b"checkpoint", b"latest", b"_SUCCESS"])
def test_markers(name: bytes) -> None:
    assert is_marker(name)
    assert is_marker(b"a/b/" + name)
    assert not is_marker(name + b"/a")
    assert not is_marker(b"a" + name)


SERIES: dict[bytes, Numbered | None] = {
    b"checkpoint-500": Numbered(b"checkpoint-#", (500,)),
    b"checkpoint_7": Numbered(b"checkpoint_#", (7,)),
    b"epoch=3-step=10.ckpt": Numbered(b"epoch=#-step=#.ckpt", (3, 10)),
    b"global_step500": Numbered(b"global_step#", (500,)),
    b"iter_0000500": Numbered(b"iter_#", (500,)),
    b"model.epoch3.safetensors": Numbered(b"model.epoch#.safetensors", (3,)),
    b"ckpt-" + b"9" * 5000: Numbered(b"ckpt-#", (10**18 - 1,)),
    b"checkpoint": None,
    b"checkpoints": None,
    b"500": None,
    b"rng_state_0.pth": None,
    b"image-17.png": None,
    b"step-3.png": None,
    b"pytorch_model-00001-of-00002.bin": None,
    b"checkpoint-00001-of-00002.bin": None,
    b"checkpoint_rank3.pt": None,
    b"epoch-2-shard_1.pt": None,
    b"biter-2": None,
    b"stepper2": None,
}


@pytest.mark.parametrize("name", SERIES, ids=lambda name: name[:40].decode())
def test_what_is_one_of_a_series(name: bytes) -> None:
    assert numbered(name) == SERIES[name]
    assert is_one_of_many(name) == (SERIES[name] is not None or name == b"500")


@pytest.mark.parametrize("name", [b"a.csv", b"a.jsonl", b"a.log", b"events.out.tfevents.1.host", b"\xff.tsv"])
def test_logs_by_name(name: bytes) -> None:
    assert is_stream(name)


@pytest.mark.parametrize("name", [b"a.csv.gz", b"csv", b"log", b"my.events.out.tfevents.1", b"a.log.1"])
def test_no_logs_by_name(name: bytes) -> None:
    assert not is_stream(name)
