"""The timed uses of a library, run by its own Python: `python sdk_probes.py PROBE LIBRARY DIRECTORY SIZES NUMBER`.

artfs and ZenML have the same names for the same things, so that one text times both. What is printed is JSON lines of
subject, measure and figure. The standard library and numpy are all that is imported beside the library.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # ZenML's Python runs this too
    from artfs.workspace.workspace import Workspace


@dataclass(frozen=True)
class Sizes:
    """How much is saved, loaded and listed."""

    array_elements: int = 12_500_000  # of 8 bytes
    array_repeats: int = 5
    backed_elements: int = 1 << 27
    small_repeats: int = 40
    folder_files: int = 1_000
    folder_file_bytes: int = 100_000
    versions: int = 1_000
    large_versions: int = 100_000
    large_questions: int = 200


QUICK = Sizes(
    array_elements=10_000,
    array_repeats=1,
    backed_elements=0,
    small_repeats=3,
    folder_files=20,
    folder_file_bytes=1_000,
    versions=20,
    large_versions=1_000,
    large_questions=10,
)
SIZES = {"full": Sizes(), "quick": QUICK}
HEAVY = ("pandas", "numpy", "torch", "pyfuse3", "pyarrow", "sklearn", "sqlalchemy")
IMPORTING = """
import sys, time
start = time.perf_counter()
import {library}
alone = time.perf_counter() - start
from {library} import load_artifact, save_artifact
print(alone, time.perf_counter() - start, sum(name in sys.modules for name in {heavy}))
"""


def importing(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Import the library, then its verbs, each time in a bare interpreter: this one has loaded much already."""
    for _ in range(5):
        text = IMPORTING.format(library=library, heavy=HEAVY)
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        alone, verbs, heavy = map(float, done.stdout.split()[-3:])
        say(library, "import", alone * 1e3)
        say(library, "import_verbs", verbs * 1e3)
        say(library, "heavy_imports", heavy)


def importing_client(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Import the library with its client, and ask for the active stack."""
    start = time.perf_counter()
    client = import_module(f"{library}.client").Client()
    assert client.active_stack
    say(library, "client", (time.perf_counter() - start) * 1e3)


def small(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Save and load a small dictionary in a warm process."""
    sdk = import_module(library)
    value = {"lr": 0.1, "layers": 3, "name": "small", "classes": ["a", "b"]}
    for _ in range(3):
        sdk.save_artifact({**value, "seed": uuid.uuid4().hex}, name="small")
        sdk.load_artifact("small")
    for turn in range(sizes.small_repeats):
        with (directory / f"one-{turn}").open("wb") as file:
            file.write(b"{}")
            file.flush()
            with timed("numpy_fsync", "fsync"):
                os.fsync(file.fileno())
        fresh = {**value, "seed": uuid.uuid4().hex}
        with timed(library, "small_save"):
            sdk.save_artifact(fresh, name="small")
        with timed(library, "small_load"):
            loaded = sdk.load_artifact("small")
        assert loaded == fresh


def array(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Save, load and zip 100 MB of float64; beside numpy alone, with and without fsync, turn by turn."""
    import numpy as np

    sdk = import_module(library)
    client = import_module(f"{library}.client").Client()
    values = np.random.default_rng(0).random(sizes.array_elements)
    sdk.save_artifact(values[:1_000], name="warm")
    sdk.load_artifact("warm")
    for turn in range(sizes.array_repeats):
        values[0] = number * sizes.array_repeats + turn
        bare = directory / f"bare-{turn}.npy"
        os.sync()
        back_memory(sizes)
        with timed("numpy", "array_save"):
            np.save(bare, values)
        os.sync()
        with timed("numpy_fsync", "array_save"), (directory / f"synced-{turn}.npy").open("wb") as file:
            np.save(file, values)
            file.flush()
            os.fsync(file.fileno())
        os.sync()
        with timed(library, "array_save"):
            sdk.save_artifact(values, name="array")
        os.sync()
        expected = values.sum()
        loads: list[tuple[str, Callable[[], Any]]] = [
            ("numpy", partial(np.load, bare)),
            (library, partial(sdk.load_artifact, "array")),
        ]
        back_memory(sizes)
        for subject, load in loads if turn % 2 else reversed(loads):
            with timed(subject, "array_load"):
                loaded = load()
            del loaded
            with timed(subject, "array_load_again"):
                loaded = load()
            del loaded
            with timed(subject, "array_load_sum"):
                total = load().sum()
            assert total == expected
        archive = directory / f"array-{turn}.zip"
        version = client.get_artifact_version("array")
        with timed(library, "zip"):
            version.download_files(str(archive))
        for made in (bare, directory / f"synced-{turn}.npy", archive):
            made.unlink()


def folder(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Register a folder of 100 MB in 1,000 files, which was just written."""
    sdk = import_module(library)
    client = import_module(f"{library}.client").Client()
    # ZenML takes only what is below its own store.
    above = directory if library == "artfs" else Path(client.active_stack.artifact_store.path)
    for turn in range(4):
        source = above / f"registered-{number}-{turn}"
        source.mkdir()
        for index in range(sizes.folder_files):
            (source / f"{index:04d}").write_bytes(os.urandom(sizes.folder_file_bytes))
        os.sync()
        start = time.perf_counter()
        sdk.register_artifact(str(source), name="folder")
        if turn:  # the first one warms the process up
            say(library, "register", (time.perf_counter() - start) * 1e3)


def versions(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Make so many versions of one artifact, list them, and find the newest."""
    sdk = import_module(library)
    client = import_module(f"{library}.client").Client()
    sdk.save_artifact(-1, name="warm")
    start = time.perf_counter()
    for value in range(sizes.versions):
        sdk.save_artifact(value, name="counted")
    say(library, "versions", time.perf_counter() - start)
    for _ in range(5):
        with timed(library, "list"):
            found = [
                version.version for version in client.list_artifact_versions(artifact="counted", size=sizes.versions)
            ]
        assert len(found) == sizes.versions
        with timed(library, "newest"):
            assert client.get_artifact_version("counted").version == str(sizes.versions)


def large_catalog(library: str, directory: Path, sizes: Sizes, number: int) -> None:
    """Ask a catalog of so many versions, a hundred of each artifact, for the newest, a filtered page and a plan."""
    from artfs.artifacts.prune import plan
    from artfs.client import Client
    from artfs.workspace.workspace import Workspace

    shutil.rmtree(directory / "large", ignore_errors=True)
    with Workspace.open(directory / "large") as workspace:
        _fill(workspace, sizes.large_versions)
    client = Client(directory / "large")
    artifacts = sizes.large_versions // 100
    client.get_artifact_version("artifact-0")
    for turn in range(sizes.large_questions):
        with timed(library, "large_newest"):
            client.get_artifact_version(f"artifact-{turn * 7919 % artifacts}")
    # Each is a measure of its own: a median over all of them would hide the slowest.
    conditions: dict[str, dict[str, Any]] = {
        "large_page_metadata": {"artifact": "artifact-7", "metadata": {"accuracy": "gt:0.5"}},
        "large_page_type": {"type": "ModelArtifact", "sort_by": "desc:created"},
        "large_page_tag": {"tag": "candidate", "sort_by": "desc:created"},
    }
    for _ in range(9):
        for measure, condition in conditions.items():
            with timed(library, measure):
                assert len(client.list_artifact_versions(**condition).items)
    with timed(library, "large_plan", scale=1), Workspace.open(directory / "large") as workspace:
        assert len(plan(workspace).decisions) == sizes.large_versions


def _fill(workspace: Workspace, number: int) -> None:
    from artfs.catalog.blobs import Place
    from artfs.catalog.new_version import NewContents, NewVersion
    from artfs.content.digest import Digest, FileDigest
    from artfs.content.tree import Entry, EntryKind, Tree

    catalog, store = workspace.catalog, workspace.stores.active
    for start in range(0, number, 1_000):
        with catalog.transaction():
            for index in range(start, start + 1_000):
                content = FileDigest(Digest(index.to_bytes(32, "big")), 1_000, None)
                tree = Tree((Entry(b"data.json", EntryKind.FILE, 0o644, index, content, None, None),))
                new = NewVersion(
                    f"artifact-{index % (number // 100)}",
                    tree,
                    str(uuid.UUID(int=index)),
                    store_id=store.id,
                    type="ModelArtifact" if index % 10 == 0 else "DataArtifact",
                    tags=["candidate"] if index % 50 == 0 else (),
                    metadata={"accuracy": index // (number // 100) / 100},
                )
                places = {content.digest: Place(b"bench/%d" % index, store.id)}
                catalog.versions.create(new, NewContents(places))


@contextmanager
def timed(subject: str, measure: str, scale: float = 1e3) -> Iterator[None]:
    """Say how long a block took: in milliseconds, or as many to a second as `scale` says."""
    start = time.perf_counter()
    yield
    say(subject, measure, (time.perf_counter() - start) * scale)


def back_memory(sizes: Sizes) -> None:
    """Touch a gigabyte and free it again, so that what is timed next finds memory that the machine really has.

    A virtual machine gives unused memory back to its host, and the first touch of it afterwards takes many times as
    long as the save or load that it falls on: np.load has looked forty times slower than it is.
    """
    import numpy as np

    np.full(sizes.backed_elements, 1.0)


_said: dict[tuple[str, str], list[float]] = {}


def say(subject: str, measure: str, figure: float) -> None:
    """Keep a figure; `main` prints the median of those of one measure."""
    _said.setdefault((subject, measure), []).append(figure)


PROBES: tuple[Callable[[str, Path, Sizes, int], None], ...] = (
    importing, importing_client, small, array, folder, versions, large_catalog,
)  # fmt: skip


def main() -> None:
    """Run the named probe."""
    name, library, directory, sizes, number = sys.argv[1:]
    probe = next(probe for probe in PROBES if probe.__name__ == name)
    probe(library, Path(directory), SIZES[sizes], int(number))
    for (subject, measure), figures in _said.items():
        print(json.dumps([subject, measure, statistics.median(figures)]))


if __name__ == "__main__":
    main()
