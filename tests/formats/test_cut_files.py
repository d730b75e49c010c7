"""A file of a format that says where it ends is faulted wherever it is cut."""

from __future__ import annotations

import gzip
import io
import json
import pickle
from collections.abc import Callable

import joblib
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import safetensors.torch
import torch
import xgboost

from support.formats import cuts, fault, found

TABLE = pa.table({"a": list(range(300)), "b": [None, *map(str, range(299))]})
STATE = {"w": torch.ones(60, 4), "view": torch.zeros(9)[2:], "half": torch.zeros(3, dtype=torch.bfloat16)}

DOCUMENT = {"a": ["ü\n", True, None, -1.5, 1e-30, float("-inf")], "b": {"c": False}, "d": "x" * 99}


def _made(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _npz(buffer: io.BytesIO) -> None:
    np.savez(buffer, a=np.ones(50), b=np.arange(9))


def _nested(buffer: io.BytesIO) -> None:
    """A zip, not compressed, in a zip: cut after the inner one it seems to end as one does."""
    import zipfile

    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inner.npz", _made(_npz))
        archive.writestr("more", b"x" * 200)


def _stream(buffer: io.BytesIO) -> None:
    with pa.ipc.new_stream(buffer, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=100)


def _safetensors(buffer: io.BytesIO) -> None:
    buffer.write(safetensors.torch.save({"w": STATE["w"], "b": torch.zeros(5)}))


CUT_ANYWHERE: dict[str, Callable[[io.BytesIO], object]] = {
    "model.pt": lambda buffer: torch.save(STATE, buffer),
    "a.npz": _npz,
    "nested.zip": _nested,
    "model.safetensors": _safetensors,
    "a.parquet": lambda buffer: pyarrow.parquet.write_table(TABLE, buffer),
    "a.feather": lambda buffer: pyarrow.feather.write_feather(TABLE, buffer),
    "polars.arrow": lambda buffer: pl.from_arrow(TABLE).write_ipc(buffer),
    "a.npy": lambda buffer: np.save(buffer, np.ones((20, 30))),
    "record.npy": lambda buffer: np.save(buffer, np.zeros(20, [("a", "<f4"), ("b", "<i8", (2,))])),
    "a.gz": lambda buffer: buffer.write(gzip.compress(np.random.default_rng(1).bytes(3000))),
    "small.pkl": lambda buffer: pickle.dump(list(range(1000)), buffer),
    "objects.npy": lambda buffer: np.save(buffer, np.array([{"a": 1}] * 90, dtype=object)),
    "legacy.pt": lambda buffer: torch.save(STATE, buffer, _use_new_zipfile_serialization=False),
    "a.json": lambda buffer: buffer.write(json.dumps(DOCUMENT).encode()),
}


@pytest.mark.parametrize("name", CUT_ANYWHERE)
def test_wherever_it_is_cut(name: str) -> None:
    whole = _made(CUT_ANYWHERE[name])
    assert fault(name, whole) is None
    one_byte = 1 if name.endswith((".json", ".safetensors")) else 0  # `{` begins a document; a length needs eight
    lengths = cuts(len(whole))
    assert len(lengths) > 60
    assert [length for length in lengths if fault(name, whole[:length]) is None and length > one_byte] == []


def test_a_stream_of_messages_is_faulted_but_after_a_message() -> None:
    whole = _made(_stream)
    unfaulted = [length for length in range(9, len(whole)) if fault("a.arrow", whole[:length]) is None]
    assert [pa.ipc.open_stream(whole[:length]).read_all().num_rows for length in unfaulted] == [0, 100, 200, 300]


def test_models_of_trees() -> None:
    data = np.arange(400.0).reshape(100, 4)
    trees = bytes(xgboost.train({}, xgboost.DMatrix(data, data[:, 0]), 2).save_raw("ubj"))
    unfaulted = [length for length in cuts(len(trees)) if length > 20 and fault("m.ubj", trees[:length]) is None]
    assert all(trees[length - 1 : length] == b"}" for length in unfaulted), "an inner object ends there"
    frame = pd.DataFrame(data, columns=list("abcd"))
    booster = lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(frame, data[:, 0]), 3)
    text = booster.model_to_string().encode()
    parameters = text.index(b"\nparameters:\n") + len(b"\nparameters:\n")
    end = text.index(b"\nend of parameters\n") + len(b"\nend of parameters\n")
    trees_end = text.index(b"end of trees") + len(b"end of trees")
    lengths = cuts(trees_end, borders=[text.index(b"\n\n")])
    assert [length for length in lengths if length > 15 and fault("m.txt", text[:length]) is None] == []
    assert [length for length in range(parameters, end) if fault("m.txt", text[:length]) is None] == []


def test_pickles_that_are_cut_where_no_stop_is() -> None:
    for name, whole in {
        "large.pkl": pickle.dumps([b"x" * 200_000, "y" * 90_000]),
        "old.pkl": pickle.dumps(list(range(1000)), protocol=2),
        "arrays.joblib": _made(lambda buffer: joblib.dump([np.ones(500), {"a": np.arange(70)}], buffer)),
    }.items():
        lengths = cuts(len(whole))
        unfaulted = [length for length in lengths if length > 1 and fault(name, whole[:length]) is None]
        assert all(whole[length - 1 : length] == b"." for length in unfaulted)


def test_large_json_is_looked_at_at_its_ends() -> None:
    whole = json.dumps({f"key {number}": [number] for number in range(100_000)}).encode()
    assert len(whole) > 2**20
    assert fault("tokenizer.json", whole) is None
    assert fault("tokenizer.json", whole[:-100]) == (
        f"its text begins with {{ and does not end with }}, after {len(whole) - 100} bytes"
    )
    lines = (json.dumps({"text": "x" * 1000}) + "\n") * 2000
    assert fault("lines.json", lines.encode()) is None
    assert fault("lines.json", lines[:-100].encode()) is None, "a log is being written"


def test_numbers_are_told() -> None:
    header = '{"w":{"dtype":"U8","shape":[240000000],"data_offsets":[0,240000000]}}'.ljust(72)
    data = len(header).to_bytes(8, "little") + header.encode()
    assert len(data) == 80
    assert fault("model.safetensors", data + bytes(18_900_000 - 80)) == (
        "the header says 240000080 bytes, 18900000 are there"
    )


def test_a_file_that_got_its_size_before_its_bytes() -> None:
    """Only a beginning that was not written can be seen: zeros within are what tensors may hold."""
    whole = _made(_safetensors)
    assert fault("model.safetensors", bytes(len(whole))) == "its header cannot have 0 bytes"
    assert fault("model.safetensors", whole[:200] + bytes(len(whole) - 200)) is None
    for name in ("model.pt", "a.npz", "a.npy", "a.parquet", "model.pkl"):
        assert fault(name, bytes(1000)) == "its first 16 bytes are zero: its beginning was not written"


def test_a_database_that_is_shorter_than_it_says(tmp_path: object) -> None:
    import sqlite3

    database = sqlite3.connect(":memory:")
    database.executescript("PRAGMA page_size = 1024; CREATE TABLE t(x); INSERT INTO t VALUES (zeroblob(9000))")
    whole = database.serialize()
    database.close()
    assert fault("a.db", whole) is None
    lengths = cuts(len(whole), borders=range(1024, len(whole), 1024))
    assert [length for length in lengths if length > 15 and fault("a.db", whole[:length]) is None] == []
    assert fault("a.db", whole[:2048]) == f"its header says {len(whole)} bytes, 2048 are there"


def test_what_is_not_there_at_all_is_not_known() -> None:
    assert found("model.pt", b"") is None
