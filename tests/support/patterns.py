"""How frameworks write, as steps that `replay` takes: what a pattern is, and what they are made of.

The patterns themselves are in `file_patterns` and `folder_patterns`, all of them in `all_patterns`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from support.replay import Step

REST_SECONDS = 1.5
"""Between two saves in a folder: shorter than a folder's quiet time, so that it never rests for that long."""
VERSION_SECONDS = 60.0
"""So long at most a writer waits for what it wrote to be a version, before it writes over it."""


class Save(NamedTuple):
    """A finished save: the files that it consists of by their path in the version, each with the content's name."""

    name: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Pattern:
    """What one framework does.

    Args:
        name: of the pattern.
        ending: of the draft, if it is a file; a folder has none.
        steps: what its writer does.
        saves: what it finishes by it.
        signal: by what a stranger can tell that a save is finished; None where nothing says so.
        probed: the steps before which something may happen to the writer.
        streams: files that are only appended to, with the content that they have in the end.
        pointers: files that name a save: the save's name by the file's content, by the file's path.
        loads_too: what the framework loads as well as a finished save.
        looked_for: files that its loader passes over where another, which it looks for, is not there.
        database: the draft is an SQLite file, whose saves are its commits.
    """

    name: str
    ending: str | None
    steps: Sequence[Step]
    saves: Sequence[Save]
    signal: str | None
    probed: range
    streams: Mapping[str, str] = field(default_factory=dict)
    pointers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    loads_too: Sequence[Save] = ()
    looked_for: Mapping[str, str] = field(default_factory=dict)
    database: bool = False

    @property
    def is_folder(self) -> bool:
        return self.ending is None

    def draft(self, unique: str) -> str:
        """The name of a draft that no other has."""
        return f"{unique}-{self.name}{self.ending or ''}"


PROBE: Step = ("probe",)
"""Stands before the first step that is tried, and after the last: no step itself."""


def pattern(
    name: str,
    steps: Sequence[Step],
    saves: Sequence[Save],
    *,
    signal: str | None,
    ending: str | None = None,
    every: int = 1,
    **more: object,
) -> Pattern:
    """Makes a pattern. Tried are every so many steps between the marks PROBE, or of all but the beginning."""
    marks = [place for place, step in enumerate(steps) if step is PROBE]
    kept = [step for step in steps if step is not PROBE]
    first = marks[0] if marks else 1
    last = marks[1] - 1 if len(marks) > 1 else len(kept)
    return Pattern(name, ending, kept, saves, signal, range(first, last + 1, every), **more)  # type: ignore[arg-type]


def write(path: str, content: str, flags: str = "w", pieces: int = 2, mode: int = 0o666) -> list[Step]:
    """Opens a file, writes it in pieces, closes it."""
    return [("open", "f", path, flags, mode), *_pieces("write", "f", content, pieces), ("close", "f")]


def write_and_rename(path: str, temporary: str, content: str) -> list[Step]:
    """The same under a temporary name."""
    return [*write(temporary, content), ("rename", temporary, path)]


def safetensors(path: str, content: str, temporary: str) -> list[Step]:
    """Safetensors 0.8: gives a temporary file its size first, and renames it while it is open."""
    return [
        ("open", "s", temporary, "x", 0o600),
        ("ftruncate", "s", content),
        *_pieces("write", "s", content, 2),
        ("rename", temporary, path),
        ("close", "s"),
    ]


def move_from_elsewhere(path: str, content: str) -> list[Step]:
    """Lightning: shutil.move of a temporary file of another file system."""
    return [
        *write("~/?", content, pieces=1),
        ("open", "f", path, "w"),
        *_pieces("write", "f", content, 2),
        ("close", "f"),
        ("utime", path, 1_700_000_000.0),
        ("chmod", path, 0o600),
        ("unlink", "~/?"),
        ("chmod", path, 0o644),
    ]


def remove(folder: str, names: Sequence[str]) -> list[Step]:
    """Removes a folder as shutil.rmtree does, of which each step may be the last."""
    return [*(("unlink", f"{folder}/{name}") for name in names), ("rmdir", folder)]


def done(save: Save) -> Step:
    """Says that a save is finished."""
    return ("done", save.name)


def rest() -> Step:
    """The time between two saves in a folder that is never quiet."""
    return ("sleep", REST_SECONDS)


def until_version(number: int) -> Step:
    """Waits until the draft's version is there."""
    return ("wait", f"../artifacts/@/{number}", VERSION_SECONDS)


def in_folder(file: Pattern) -> Pattern:
    """The same as a file in a draft that is a folder."""
    inner = f"model{file.ending}"
    saves = [Save(save.name, {inner: save.files["@"]}) for save in file.saves[:1]]
    first = next(place for place, step in enumerate(file.steps) if step[0] == "done")
    steps = [("mkdir", "@"), *_moved(file.steps[: first + 1], f"@/{inner}")]
    return pattern(f"{file.name}_in_a_folder", steps, saves, signal=file.signal)


def _moved(steps: Sequence[Step], inner: str) -> Iterator[Step]:
    def at(word: object) -> object:
        return word.replace("@", inner).replace("^", "@/") if isinstance(word, str) else word

    return ([at(word) for word in step] for step in steps)


def _pieces(how: str, handle: str, content: str, pieces: int) -> list[Step]:
    return [(how, handle, content, piece, pieces) for piece in range(pieces)]
