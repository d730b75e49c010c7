"""Writers that an exception stops anywhere, and that close a valid zip all the same."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from support.formats import fault, is_proven


class Stop(Exception):
    pass


class Unpicklable:
    def __reduce__(self) -> tuple[object, ...]:
        raise Stop


class FailsOnce(io.BytesIO):
    """A file whose write number `at` is interrupted, as a Ctrl-C would; later ones are not."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def write(self, data: object, /) -> int:
        self.left -= 1
        if self.left == -1:
            raise KeyboardInterrupt
        return super().write(data)  # type: ignore[arg-type]


def interrupted(write: Callable[[FailsOnce], object]) -> Iterator[bytes]:
    """What is left by a writer that is stopped at each of its writes."""
    at = 0
    while True:
        file = FailsOnce(at)
        try:
            write(file)
        except (KeyboardInterrupt, RuntimeError):
            yield file.getvalue()
        else:
            return
        at += 1


def test_torch_without_its_pickle() -> None:
    buffer = io.BytesIO()
    with pytest.raises(Stop):
        torch.save([torch.ones(4), Unpicklable()], buffer)
    assert zipfile.ZipFile(io.BytesIO(buffer.getvalue())).testzip() is None
    assert fault("model.pt", buffer.getvalue()) == "the zip has no data.pkl: its writer was stopped before that"


@pytest.mark.parametrize("protocol", [2, 4])
def test_torch_stopped_at_any_write(protocol: int) -> None:
    tensors = [torch.full((3000,), number) for number in range(3)]
    left = list(interrupted(lambda file: torch.save(tensors + tensors, file, pickle_protocol=protocol)))
    assert len(left) > 30
    assert [number for number, data in enumerate(left) if fault("model.pt", data) is None and data] == []
    lacking = [said for data in left if "tensors" in (said := fault("model.pt", data) or "")]
    assert lacking[0] == "its data.pkl names 3 tensors, the zip lacks 3, first data/0"
    assert lacking[-1] == "its data.pkl names 3 tensors, the zip lacks 1, first data/2"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numpy_stopped_at_any_write(save: Callable[..., None]) -> None:
    """Between two arrays it leaves a file that is whole but for the arrays to come: nothing in it tells."""
    arrays = {name: np.arange(start, start + 3000.0) for start, name in enumerate("abc")}
    left = list(interrupted(lambda file: save(file, **arrays)))
    assert len(left) > 15
    for data in left:
        if data and fault("a.npz", data) is None:
            loaded = np.load(io.BytesIO(data))
            assert all((loaded[name] == arrays[name]).all() for name in loaded.files)


def test_numpy_with_an_array_that_ends_early() -> None:
    left = io.BytesIO()
    with zipfile.ZipFile(left, "w") as archive:
        archive.writestr("a.npy", b"".join(_npy(np.ones(100)))[:500])
    assert fault("a.npz", left.getvalue()) == "the header of a.npy says 928 bytes, 500 are there"


def _npy(array: np.ndarray) -> Iterator[bytes]:
    buffer = io.BytesIO()
    np.save(buffer, array)
    yield buffer.getvalue()


def test_keras_without_its_weights() -> None:
    """As Keras 3 leaves it: it closes the zip, and writes the weights into it only if nothing was raised."""
    left, whole = io.BytesIO(), io.BytesIO()
    for file, names in ((left, []), (whole, ["model.weights.h5"])):
        with zipfile.ZipFile(file, "w") as archive:
            for name in ["metadata.json", "config.json", *names]:
                with archive.open(name, "w") as member:
                    member.write(json.dumps({"keras_version": "3.15"}).encode())
    assert is_proven("model.keras", whole.getvalue())
    assert (
        fault("model.keras", left.getvalue()) == "the zip has no model.weights.h5: its writer was stopped before that"
    )
