"""How frameworks write single files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from support.patterns import (
    PROBE,
    Pattern,
    Save,
    done,
    in_folder,
    move_from_elsewhere,
    pattern,
    safetensors,
    until_version,
    write,
)
from support.replay import Step

Writing = Callable[[str], list[Step]]
"""How the content of a name is written to the draft."""


def file_patterns() -> list[Pattern]:
    """All of them; some also as a file in a folder."""
    files = [
        _over_and_over("torch_zip", ".pt", "torch", _plainly, "footer"),
        _once("torch_legacy", ".pt", "torch_legacy", _plainly, None),
        _over_and_over("safetensors_in_place", ".safetensors", "safetensors", _plainly, "header"),
        _over_and_over("safetensors_renamed", ".safetensors", "safetensors", _safetensors, "header"),
        _over_and_over("lightning_move", ".ckpt", "torch", lambda content: move_from_elsewhere("@", content), "footer"),
        _over_and_over("keras", ".keras", "keras", _patched, "footer"),
        _over_and_over("keras_h5", ".weights.h5", "hdf5", _hdf5, "header"),
        _once("npy", ".npy", "npy", _plainly, "header"),
        _once("npz", ".npz", "npz", _patched, "footer"),
        _once("memmap", ".npy", "npy", _mapped, "unmapped"),
        _once("parquet", ".parquet", "parquet", _plainly, "footer"),
        _once("feather", ".arrow", "arrow", _plainly, "footer"),
        _once("xgboost", ".ubj", "xgboost", lambda content: write("@", content, pieces=1), "one write"),
        _once("lightgbm", ".txt", "lightgbm", _in_two_opens, None),
        _once("joblib", ".joblib", "joblib", _plainly, None),
        _once("pickle", ".pkl", "pickle", _plainly, None),
        _once("pandas_csv", ".csv", "csv", _plainly, None),
        _appended("csv_log", ".csv", "csv_lines", opened_each_time=True),
        _appended("tensorboard_log", ".tfevents", "tfevents", opened_each_time=False),
        _sqlite("sqlite_journal", "delete"),
        _sqlite("sqlite_wal", "wal"),
    ]
    names = ("torch_zip", "safetensors_renamed", "keras_h5", "joblib")
    return [*files, *(in_folder(file) for file in files if file.name in names)]


def _once(name: str, ending: str, family: str, writing: Writing, signal: str | None) -> Pattern:
    save = _save(ending, family, 1)
    return pattern(name, [*writing(f"{family}-1"), done(save)], [save], signal=signal, ending=ending)


def _over_and_over(name: str, ending: str, family: str, writing: Writing, signal: str) -> Pattern:
    """Twice under one name. What happens to the second save happens beside a version of the first."""
    first, second = _save(ending, family, 1), _save(ending, family, 2)
    steps = [*writing(f"{family}-1"), done(first), until_version(1), PROBE, *writing(f"{family}-2"), done(second)]
    return pattern(name, steps, [first, second], signal=signal, ending=ending)


def _save(ending: str, family: str, number: int) -> Save:
    return Save(f"save {number}", {"@": f"{family}-{number}"})


def _plainly(content: str) -> list[Step]:
    return write("@", content, pieces=3)


def _safetensors(content: str) -> list[Step]:
    return safetensors("@", content, "^.tmp?")


def _patched(content: str) -> list[Step]:
    """A zip: its members' headers are put right when their sizes are known."""
    return [
        ("open", "f", "@", "w+"),
        ("zeros", "f", content, 0, 4),
        ("pwrite", "f", content, 1, 4),
        ("pwrite", "f", content, 0, 4),
        ("pwrite", "f", content, 2, 4),
        ("pwrite", "f", content, 3, 4),
        ("close", "f"),
    ]


def _hdf5(content: str) -> list[Step]:
    """Out of order, under a lock; the superblock, which says where the file ends, comes last."""
    pieces: Sequence[Step] = [("pwrite", "f", content, piece, 4) for piece in (2, 1, 3, 0)]
    return [("open", "f", "@", "w+"), ("flock", "f"), *pieces, ("close", "f")]


def _mapped(content: str) -> list[Step]:
    """numpy.memmap: the header, a last byte, and pages that come after the file was closed."""
    return [
        ("open", "f", "@", "w"),
        ("write", "f", content, 0, 16),
        ("close", "f"),
        ("open", "g", "@", "r+"),
        ("ftruncate", "g", content),
        ("map", "g", "m"),
        ("close", "g"),
        *(("store", "m", content, piece, 3) for piece in range(3)),
        ("unmap", "m"),
    ]


def _in_two_opens(content: str) -> list[Step]:
    """LightGBM closes the file, and opens it again for one more line."""
    head, tail = (content.replace("-", f"_{part}-") for part in ("head", "tail"))
    return [*write("@", head), *write("@", tail, "a", pieces=1)]


def _appended(name: str, ending: str, content: str, *, opened_each_time: bool) -> Pattern:
    """A log: whatever is there is right, so that there is no half one."""
    save = Save("all", {"@": content})
    pieces: list[Step] = [("write", "f", content, piece, 4) for piece in range(4)]
    if opened_each_time:
        steps = [step for piece in pieces for step in (("open", "f", "@", "a"), piece, ("close", "f"))]
    else:
        steps = [("open", "f", "@", "a"), *pieces, ("close", "f")]
    return pattern(name, [*steps, done(save)], [save], signal="stream", ending=ending, streams={"@": content})


def _sqlite(name: str, journal: str) -> Pattern:
    """Two transactions of 10 rows; what was committed is the save."""
    saves = [Save(f"{rows} rows", {}) for rows in (10, 20)]
    steps: list[Step] = [
        ("connect", "d", "@", journal),
        ("sql", "d", "CREATE TABLE t (x)"),
        *_transaction(),
        done(saves[0]),
        *_transaction(),
        done(saves[1]),
        ("disconnect", "d"),
    ]
    return pattern(name, steps, saves, signal="journal", ending=".db", database=True)


def _transaction() -> list[Step]:
    five: Step = ("sql", "d", "INSERT INTO t VALUES (1), (2), (3), (4), (5)")
    return [("sql", "d", "BEGIN IMMEDIATE"), five, five, ("sql", "d", "COMMIT")]
