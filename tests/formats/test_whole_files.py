"""What libraries write and read is never faulted, and proves its end where it can."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

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
from sklearn.linear_model import LogisticRegression

from artfs.content.formats import Finding, OpenedDescriptor
from support.formats import OWN, found, is_proven, is_sound

TABLE = pa.table({"a": list(range(100)), "b": [None, *map(str, range(99))]})
FRAME = TABLE.to_pandas()
STATE = {"w": torch.ones(30, 4), "view": torch.zeros(9)[2:], "half": torch.zeros(3, dtype=torch.bfloat16), "n": [1, 2]}

Write = Callable[[Path], object]


def written(path: Path, write: Write) -> Finding | None:
    write(path)
    with path.open("rb") as file:
        return OWN.check(path.name.encode(), OpenedDescriptor(file.fileno()))


def _script(path: Path) -> None:
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)


def _package(path: Path) -> None:
    import torch.package

    with torch.package.PackageExporter(str(path)) as exporter:
        exporter.save_pickle("model", "weights.pkl", STATE)


def _stream(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        for batch in TABLE.to_batches(max_chunksize=7):
            writer.write_batch(batch)


def _npz(path: Path, **arrays: np.ndarray) -> None:
    np.savez(path, **arrays)


def _first_feather(path: Path) -> None:
    with pytest.warns(DeprecationWarning):
        pyarrow.feather.write_feather(TABLE, path, version=1)


def _booster() -> xgboost.Booster:
    data = np.arange(80.0).reshape(20, 4)
    return xgboost.train({}, xgboost.DMatrix(data, data[:, 0]), 2)


def _lightgbm() -> lightgbm.Booster:
    frame = pd.DataFrame({"a": np.arange(60.0), "c": pd.Categorical(["x", "y", "z"] * 20)})
    return lightgbm.train({"verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(frame, np.arange(60) % 3), 3)


PROVEN: dict[str, Write] = {
    "model.pt": lambda path: torch.save(STATE, path),
    "pytorch_model.bin": lambda path: torch.save(STATE, path),
    "last.ckpt": lambda path: torch.save(STATE, path, pickle_protocol=4),
    "empty.pt": lambda path: torch.save({}, path),
    "no-ending": lambda path: torch.save(STATE, path),
    "script.pt": _script,
    "package.pt": _package,
    "model.safetensors": lambda path: safetensors.torch.save_file({"w": STATE["w"], "b": torch.zeros(0)}, path),
    "described.safetensors": lambda path: safetensors.torch.save_file(
        {"w": torch.ones(3)}, path, {"data_offsets": "9"}
    ),
    "nothing.safetensors": lambda path: safetensors.torch.save_file({}, path),
    "0f5d": lambda path: safetensors.torch.save_file({"w": STATE["w"]}, path),
    "a.npz": lambda path: _npz(path, a=np.ones(50), b=np.zeros((0, 3))),
    "nothing.npz": _npz,
    "small.npz": lambda path: np.savez_compressed(path, a=np.arange(5000), b=np.array("text")),
    "a.parquet": lambda path: pyarrow.parquet.write_table(TABLE, path),
    "frame.parquet": lambda path: FRAME.to_parquet(path),
    "polars.parquet": lambda path: pl.from_arrow(TABLE).write_parquet(path),
    "0f5e": lambda path: pyarrow.parquet.write_table(TABLE, path),
    "_common_metadata": lambda path: pyarrow.parquet.write_metadata(TABLE.schema, path),
    "a.feather": lambda path: FRAME.to_feather(path),
    "first.feather": _first_feather,
    "polars.arrow": lambda path: pl.from_arrow(TABLE).write_ipc(path),
    "polars.arrows": lambda path: pl.from_arrow(TABLE).write_ipc_stream(path),
    "data-00000-of-00001.arrow": _stream,
    "a.npy": lambda path: np.save(path, np.ones((7, 3))),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(np.ones((7, 3)))),
    "empty.npy": lambda path: np.save(path, np.zeros((3, 0))),
    "scalar.npy": lambda path: np.save(path, np.float32(2)),
    "text.npy": lambda path: np.save(path, np.array(["ab", "c"])),
    "bytes.npy": lambda path: np.save(path, np.array([b"ab", b"c"])),
    "times.npy": lambda path: np.save(path, np.zeros(3, "M8[ns]")),
    "record.npy": lambda path: np.save(path, np.zeros(5, [("a", "<f4"), ("b", "<i8", (2, 3)), ("c", [("d", "S3")])])),
    "aligned.npy": lambda path: np.save(path, np.zeros(5, np.dtype([("a", "i1"), ("b", "f8")], align=True))),
    "long.npy": lambda path: np.save(path, np.zeros(5, np.longdouble)),
    "model.txt": lambda path: _lightgbm().save_model(path),
    "a.zip": lambda path: pd.DataFrame(FRAME).to_csv(path),
}

SOUND: dict[str, Write] = {
    "legacy.pt": lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False),
    "framed.pt": lambda path: torch.save(STATE, path, pickle_protocol=4, _use_new_zipfile_serialization=False),
    "model.pkl": lambda path: path.write_bytes(pickle.dumps(LogisticRegression())),
    "old.pkl": lambda path: path.write_bytes(pickle.dumps(STATE["n"], protocol=2)),
    "large.pickle": lambda path: path.write_bytes(pickle.dumps([b"x" * 200_000, "y" * 90_000])),
    "frame.pkl": lambda path: FRAME.to_pickle(path),
    "array.joblib": lambda path: joblib.dump(np.arange(90_000), path),
    "arrays.joblib": lambda path: joblib.dump({"a": np.ones(9), "b": [np.array([{}], object), 3]}, path),
    "small.joblib": lambda path: joblib.dump(np.ones(9), path, compress=("gzip", 3)),
    "objects.npy": lambda path: np.save(path, np.array([{"a": 1}, None], dtype=object)),
    "a.csv.gz": lambda path: FRAME.to_csv(path),
    "a.json": lambda path: FRAME.to_json(path),
    "lines.json": lambda path: FRAME.to_json(path, orient="records", lines=True),
    "book.ipynb": lambda path: path.write_text(json.dumps({"cells": [], "nbformat": 4})),
    "model.ubj": lambda path: _booster().save_model(path),
    "model.json": lambda path: _booster().save_model(path),
    "cpp.txt": lambda path: path.write_text(_lightgbm().model_to_string().rpartition("\npandas_categorical:")[0]),
}


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("name", PROVEN)
def test_a_whole_file_proves_its_end(name: str, tmp_path: Path) -> None:
    finding = written(tmp_path / name, PROVEN[name])
    assert finding is not None
    assert finding == Finding(finding.format, None, proves_end=True)


@pytest.mark.parametrize("name", SOUND)
def test_a_whole_file_has_no_fault(name: str, tmp_path: Path) -> None:
    finding = written(tmp_path / name, SOUND[name])
    assert finding is not None
    assert finding == Finding(finding.format, None, proves_end=False)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)),
        torch.empty(1000, device="meta"),
        torch.eye(9).to_sparse(),
        torch.ones(5, dtype=torch.complex128),
        torch.ones(5, dtype=torch.float8_e4m3fn),
        torch.ones(30).untyped_storage(),
        [torch.ones(30), torch.ones(30).untyped_storage(), torch.ones(0)],
        torch.ones(30)[3:9].view(torch.int32),
        {
            "tensor": torch.ones(3),
            "text": "data/7",
            "bytes": b"(X\x07\0\0\0storage",
            "tuple": ("storage", 1, "9", 2, 3),
        },
    ],
)
def test_all_that_torch_saves(value: object, legacy: bool) -> None:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    assert (is_sound if legacy else is_proven)("model.pt", buffer.getvalue())


def test_exported_programs_are_other_zips_of_torch(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),)), buffer)
    assert is_proven("model.pt2", buffer.getvalue())


def test_a_distributed_checkpoint_is_zip_after_zip(tmp_path: Path) -> None:
    import torch.distributed.checkpoint as dcp

    with pytest.warns(UserWarning):
        dcp.save({"a": torch.ones(40), "b": torch.zeros(3, 3), "n": 5}, checkpoint_id=tmp_path / "ckpt", no_dist=True)
    data = (tmp_path / "ckpt" / "__0_0.distcp").read_bytes()
    assert data.count(b"PK\x05\x06") > 1
    assert is_sound("__0_0.distcp", data)


def test_torch_files_of_more_than_4_gib(tmp_path: Path) -> None:
    """torch keeps the room of the tensors without writing them; so the file has holes."""
    with torch.serialization.skip_data():
        finding = written(
            tmp_path / "large.pt", lambda path: torch.save([torch.empty(3 * 2**28), torch.empty(2**29), STATE], path)
        )
    assert (tmp_path / "large.pt").stat().st_size > 2**32
    assert finding == Finding("zip", None, proves_end=True)


def test_arrays_of_more_than_4_gib(tmp_path: Path) -> None:
    with (tmp_path / "large.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**30, 1)})
        file.truncate(file.tell() + 2**33)
    assert written(tmp_path / "large.npy", lambda path: None) == Finding("npy", None, proves_end=True)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_has_no_fault(mode: str, tmp_path: Path) -> None:
    def write(path: Path) -> None:
        database = sqlite3.connect(path)
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("CREATE TABLE t(x)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
        database.commit()
        database.close()

    assert written(tmp_path / "a.db", write) == Finding("SQLite")


def test_encrypted_parquet_ends_otherwise() -> None:
    assert is_proven("a.parquet", b"PARE" + b"data" * 9 + b"footer" + (6).to_bytes(4, "little") + b"PARE")


def test_zips_with_comments_prefixes_and_other_records() -> None:
    plain, commented = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("a", b"x" * 100)
        with archive.open("b", "w", force_zip64=True) as member:
            member.write(b"y")
    with zipfile.ZipFile(commented, "w") as archive:
        archive.writestr("a", b"x" * 100)
        archive.comment = b"PK\x05\x06 is what an end record begins with" * 50
    assert is_proven("a.zip", plain.getvalue())
    assert is_proven("a.zip", commented.getvalue())
    assert is_proven("installer.zip", b"#!/bin/sh\nexec unzip $0\n" + plain.getvalue())
    assert is_sound("both.zip", plain.getvalue() + commented.getvalue())
    assert is_sound("more.zip", plain.getvalue() + b"\n")


def test_several_arrays_in_one_file_are_no_fault() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    np.save(buffer, np.array([{}], dtype=object))
    np.save(buffer, np.ones(3))
    assert is_sound("several.npy", buffer.getvalue())
    assert is_sound("objects.npy", buffer.getvalue()[152:])


def test_a_stream_without_a_mark_at_its_end_is_no_fault() -> None:
    """Its readers take the end of the file for the end of the stream."""
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, TABLE.schema) as writer:
        writer.write_table(TABLE)
        whole = buffer.getvalue()
    assert pa.ipc.open_stream(whole).read_all().num_rows == TABLE.num_rows
    assert is_sound("a.arrow", whole)
    assert is_proven("a.arrow", buffer.getvalue())


def test_gzip_members_may_follow_each_other_and_be_followed() -> None:
    one = gzip.compress(b"one" * 1000)
    for data in (one, one + gzip.compress(b""), one + bytes(512), one + b"rest"):
        assert is_sound("a.gz", data)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf{}",
        b'{"a": NaN, "b": -Infinity}',
        '{"a": "ü"}'.encode("utf-16"),
        b'{"a": 1}\n{"a": 2}\n',
        b'{"a": 1}\n{"a": ',
        b'{\n  // a comment\n  "a": 1,\n}',
        b'{"a": 1,}',
        b"{{ template }}",
        b"{'a': 1}",
        b'"text"',
        b"12",
        b"-",
        b" \n",
        b'[{"ph": "X", "ts": 1},\n{"ph": "E", "ts": 2},\n',
        b"[" * 100_000,
        b"\x80\xff",
    ],
)
def test_what_is_called_json_and_is_not_cut_has_no_fault(text: bytes) -> None:
    finding = found("a.json", text)
    assert finding is None or finding.fault is None


@pytest.mark.parametrize("name", ["model.pt.00", "model.zip.aa", "xab", "a.z01", "model.safetensors.part1"])
def test_a_part_that_split_made_has_no_fault(name: str) -> None:
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    finding = found(name, buffer.getvalue()[:700])
    assert finding is None or finding.fault is None


def test_empty_files_and_what_nobody_knows() -> None:
    assert found("model.safetensors", b"") is None
    assert found("notes.txt", b"PK is no zip") is None
    assert found("events.out.tfevents.1", b"\x18\0\0\0\0\0\0\0") is None
    assert found("model.bin", bytes(1000)) is None
    assert found("PARENT_DIRECTORY.rst", b"PARENT_DIRECTORY\n----------------\n") is None
    assert found("FEA1.txt", b"FEA1 is no table") is None
    assert found("model.pt", b"something else") is None
