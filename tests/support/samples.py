"""Small contents of each format, made by the library that writes it where the tests have it: what `replay` writes.

A content's name is its family, a dash and the number of the save that it belongs to: `torch-1`. How the content of a
family is made and loaded is in `FAMILIES`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

NUMBERS = (1, 2, 3, 4)
"""Of the saves."""
_VALUES = 600

#: An HDF5 file with a dataset `w` of 16 numbers, which are its last 64 bytes (written by h5py 3.16).
_HDF5 = (
    b"c-rgqaB<`1lHy_j0S*oZ76t(ZWbhvfcCe!IVe$!3nh{EOK<O1sFmXn(oCH){5NbZUx{x4OSCH!eXaHu90SkoYU>F4>5qP*d27u@YC?A$e"
    b"PcWgXD@RL@9u(Tk$iNCQixI|$q+~`$Mih6zXl9^1NJdaWo&l0%6&S=h7{u$L@~prV43cMJVq%1(XNY;sj1|xv=78pcjzJX<!G8WOpd1a$hY"
    b"HN2X_Eo~jO+#=J^+ezM__0Iu>%k%0C58lPXOWtK)eBn4*>B6AbtSE9~=R^kU7c"
)

_DATASET_STATE = """{
 "_data_files": [{"filename": "data-00000-of-00002.arrow"}, {"filename": "data-00001-of-00002.arrow"}],
 "_fingerprint": "%d", "_format_columns": null, "_format_kwargs": {}, "_format_type": null,
 "_output_all_columns": false, "_split": null}"""
_INDEX = """{"metadata": {"save": %d, "total_size": 4800},
 "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
"""
_TRAINER_STATE = '{"best_metric": null, "epoch": 1.0, "global_step": %d, "log_history": [], "max_steps": 9}'
_TF_CHECKPOINT = 'model_checkpoint_path: "ckpt-%d"\n'


class Family(NamedTuple):
    """make: the bytes of a save by its number. load: what a file holds, to be compared; raises if it cannot."""

    make: Callable[[int], bytes]
    load: Callable[[Path], Any]


def write_samples(folder: Path) -> None:
    """Makes all contents in a folder."""
    for name, content in _contents():
        (folder / name).write_bytes(content)


def _contents() -> Iterator[tuple[str, bytes]]:
    for family, (make, _) in FAMILIES.items():
        yield from ((f"{family}-{number}", make(number)) for number in NUMBERS)
    yield from _distributed()
    for number in NUMBERS:
        model, end = _lightgbm(number), b"\npandas_categorical:null\n"
        yield f"lightgbm_head-{number}", model.removesuffix(end)
        yield f"lightgbm_tail-{number}", end
    yield "csv_lines", b"epoch,loss\n" + b"".join(b"%d,0.%d\n" % (epoch, epoch) for epoch in range(40))
    yield "tfevents", b"".join(_tf_record(b"\x09" + struct.pack("<d", step) + b"\x10\x01") for step in range(40))


def numbers(number: int) -> list[float]:
    """The weights of a save: the same in all formats."""
    return [float(index * number) for index in range(_VALUES)]


def _torch(number: int, *, new: bool = True) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save({"w": torch.tensor(numbers(number))}, buffer, _use_new_zipfile_serialization=new)
    return buffer.getvalue()


def _load_torch(path: Path) -> Any:
    import torch

    return torch.load(path)["w"].tolist()


def _safetensors(number: int) -> bytes:
    import numpy as np
    from safetensors.numpy import save

    return save({"w": np.asarray(numbers(number), "f4")})


def _load_safetensors(path: Path) -> Any:
    from safetensors.numpy import load_file

    return load_file(path)["w"].tolist()


def _joblib(number: int) -> bytes:
    import joblib
    import numpy as np

    buffer = io.BytesIO()
    joblib.dump({"w": np.asarray(numbers(number))}, buffer)
    return buffer.getvalue()


def _load_joblib(path: Path) -> Any:
    import joblib

    return joblib.load(path)["w"].tolist()


def _npy(number: int) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(numbers(number)))
    return buffer.getvalue()


def _npz(number: int) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, w=np.asarray(numbers(number)))
    return buffer.getvalue()


def _load_npz(path: Path) -> Any:
    import numpy as np

    with np.load(io.BytesIO(path.read_bytes())) as arrays:
        return arrays["w"].tolist()


def _load_npy(path: Path) -> Any:
    import numpy as np

    return np.load(path).tolist()


def _hdf5(number: int) -> bytes:
    return zlib.decompress(base64.b85decode(_HDF5))[:-64] + struct.pack("<16f", *numbers(number)[:16])


def _load_hdf5(path: Path) -> Any:
    """What its reader looks at first: the signature, and where the file ends (version 0 of the superblock)."""
    content = path.read_bytes()
    if content[:9] != b"\x89HDF\r\n\x1a\n\0" or struct.unpack_from("<Q", content, 40)[0] != len(content):
        raise ValueError("no whole HDF5 file")
    return content


def _keras(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("metadata.json"), b'{"keras_version": "3.15.1"}')
        archive.writestr(zipfile.ZipInfo("config.json"), b'{"module": "keras"}')
        archive.writestr(zipfile.ZipInfo("model.weights.h5"), _hdf5(number))
    return buffer.getvalue()


def _load_keras(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in ("metadata.json", "config.json", "model.weights.h5")]


def _points(number: int) -> tuple[Any, Any]:
    import numpy as np

    points = np.random.default_rng(number).random((50, 2))
    return points, points[:, 0]


def _xgboost(number: int) -> bytes:
    import xgboost

    return bytes(xgboost.train({"max_depth": 2}, xgboost.DMatrix(*_points(number)), 2).save_raw("ubj"))


def _load_xgboost(path: Path) -> Any:
    import xgboost

    return bytes(xgboost.Booster(model_file=path).save_raw("ubj"))


def _lightgbm(number: int) -> bytes:
    import lightgbm

    settings = {"min_data": 1, "min_data_in_bin": 1, "verbose": -1, "num_leaves": 3, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(*_points(number)), 2)
    return booster.model_to_string().encode()


def _load_lightgbm(path: Path) -> Any:
    import lightgbm

    booster = lightgbm.Booster(model_file=path)
    return booster.model_to_string(), booster.pandas_categorical


def _table(number: int) -> Any:
    import pyarrow

    return pyarrow.table({"w": numbers(number)})


def _parquet(number: int) -> bytes:
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(_table(number), buffer)
    return buffer.getvalue()


def _load_parquet(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_table(path)["w"].to_pylist()


def _arrow(number: int, *, stream: bool = False) -> bytes:
    import pyarrow

    table, buffer = _table(number), io.BytesIO()
    make = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with make(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def _load_arrow(path: Path) -> Any:
    import pyarrow

    return pyarrow.ipc.open_file(io.BytesIO(path.read_bytes())).read_all()["w"].to_pylist()


def _load_arrow_stream(path: Path) -> Any:
    import pyarrow

    return pyarrow.ipc.open_stream(io.BytesIO(path.read_bytes())).read_all()["w"].to_pylist()


def _csv(number: int) -> bytes:
    return "".join(f"{value}\n" for value in ["w", *numbers(number)]).encode()


def _json(number: int) -> bytes:
    return json.dumps({"global_step": number, "w": numbers(number)}).encode()


def _text(template: str, number: int) -> bytes:
    return (template % number).encode()


def _opaque(number: int) -> bytes:
    """Bytes of which nothing outside their library can tell whether they are all there."""
    return b"\x08" + b"".join(hashlib.sha256(b"%d %d" % (number, part)).digest() for part in range(60))


def _distributed() -> Iterator[tuple[str, bytes]]:
    """What torch.distributed.checkpoint writes."""
    import tempfile
    import warnings

    import torch
    from torch.distributed import checkpoint

    for number in NUMBERS:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is one process only
            checkpoint.state_dict_saver.save({"w": torch.tensor(numbers(number))}, checkpoint_id=folder)
            yield f"distcp-{number}", Path(folder, "__0_0.distcp").read_bytes()
            yield f"distcp_metadata-{number}", Path(folder, ".metadata").read_bytes()


def _tf_record(data: bytes) -> bytes:
    """A record of a TensorFlow event file."""
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


def _masked_crc(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


FAMILIES = {
    "torch": Family(_torch, _load_torch),
    "torch_legacy": Family(lambda number: _torch(number, new=False), _load_torch),
    "safetensors": Family(_safetensors, _load_safetensors),
    "pickle": Family(lambda number: pickle.dumps({"w": numbers(number)}), lambda path: pickle.loads(path.read_bytes())),
    "joblib": Family(_joblib, _load_joblib),
    "npy": Family(_npy, _load_npy),
    "npz": Family(_npz, _load_npz),
    "hdf5": Family(_hdf5, _load_hdf5),
    "keras": Family(_keras, _load_keras),
    "xgboost": Family(_xgboost, _load_xgboost),
    "lightgbm": Family(_lightgbm, _load_lightgbm),
    "parquet": Family(_parquet, _load_parquet),
    "arrow": Family(_arrow, _load_arrow),
    "arrow_stream": Family(lambda number: _arrow(number, stream=True), _load_arrow_stream),
    "csv": Family(_csv, Path.read_bytes),
    "json": Family(_json, lambda path: json.loads(path.read_bytes())),
    "opaque": Family(_opaque, Path.read_bytes),
    "dataset_state": Family(lambda number: _text(_DATASET_STATE, number), lambda path: json.loads(path.read_bytes())),
    "index": Family(lambda number: _text(_INDEX, number), lambda path: json.loads(path.read_bytes())),
    "trainer_state": Family(lambda number: _text(_TRAINER_STATE, number), lambda path: json.loads(path.read_bytes())),
    "name": Family(lambda number: b"commit_success %d" % number, Path.read_bytes),
    "deepspeed_latest": Family(lambda number: b"global_step%d" % number, Path.read_bytes),
    "tf_checkpoint": Family(lambda number: _text(_TF_CHECKPOINT, number), Path.read_bytes),
}
