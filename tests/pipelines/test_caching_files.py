"""A step that has read files runs again when one of them has other content, and only then."""

from __future__ import annotations

import contextvars
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from artfs import load_artifact, pipeline, register_artifact, step
from artfs.client import Client
from artfs.errors import InvalidValue, SourceNotFound
from artfs.lineage.explain import MOST_FILES
from artfs.objects.run import PipelineRunResponse
from artfs.pipelines.observe import files
from support import programs

Read = Callable[[], str]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file, as working directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write("data.csv", "one")
    return folder


def write(path: str | Path, text: str) -> None:
    """Write a file, and let it be older than whatever reads it next."""
    Path(path).write_text(text)
    written = os.stat(path)
    while time.time_ns() <= max(written.st_mtime_ns, written.st_ctime_ns):
        pass


def outcome(read: Read, **options: object) -> tuple[str, str]:
    """The status of a step that does nothing but to read, and what it gives."""

    def compute() -> str:
        return read()

    compute.__annotations__["return"] = str
    asked = step(compute).with_options(**options)  # type: ignore[arg-type]

    @pipeline
    def reading() -> None:
        asked()

    taken = reading().steps["compute"]
    return str(taken.status), taken.output.load()


def last_reasons() -> list[str]:
    run: PipelineRunResponse = next(iter(Client().list_pipeline_runs(sort_by="desc:started")))
    return list(run.steps["compute"].explain().reasons)


def by_open() -> str:
    with open("data.csv") as file:
        return file.read()


def by_path() -> str:
    return Path("data.csv").absolute().read_text()


def by_descriptor() -> str:
    descriptor = os.open(b"data.csv", os.O_RDONLY)
    try:
        return os.read(descriptor, 100).decode()
    finally:
        os.close(descriptor)


def by_numpy() -> str:
    import numpy

    return str(numpy.loadtxt("data.csv", dtype=str))


def by_pandas() -> str:
    import pandas

    return str(pandas.read_csv("data.csv", header=None).iloc[0, 0])


def by_thread() -> str:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(by_open()))
    thread.start()
    thread.join()
    return found[0]


def by_thread_in_context() -> str:
    found: list[str] = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(lambda: found.append(by_open())))
    thread.start()
    thread.join()
    return found[0]


def by_fileio() -> str:
    from artfs.io import fileio

    with fileio.open(os.path.abspath("data.csv")) as file:
        return str(file.read())


READS = [by_open, by_path, by_descriptor, by_numpy, by_pandas, by_thread, by_thread_in_context, by_fileio]


@pytest.mark.parametrize("read", READS)
def test_a_file_that_has_changed_runs_the_step_again(read: Read) -> None:
    assert outcome(read) == ("completed", "one")
    assert outcome(read) == ("cached", "one")
    write("data.csv", "two")
    assert outcome(read) == ("completed", "two")
    assert last_reasons() == [
        f"file {os.path.abspath('data.csv') if read in (by_path, by_fileio) else 'data.csv'} changed"
    ]
    assert outcome(read) == ("cached", "two")


def test_a_file_that_is_as_it_was_again_gives_what_was_made_of_it() -> None:
    outcome(by_open)
    write("data.csv", "two")
    outcome(by_open)
    write("data.csv", "one")
    assert outcome(by_open) == ("cached", "one")


def test_equal_bytes_with_another_time_and_inode_are_the_same_file() -> None:
    outcome(by_open)
    os.utime("data.csv", ns=(1, 1))
    assert outcome(by_open)[0] == "cached"
    write("copy", "one")
    os.replace("copy", "data.csv")
    assert outcome(by_open)[0] == "cached"


def test_a_change_that_keeps_size_and_time_but_not_the_inode_is_seen() -> None:
    status = os.stat("data.csv")
    outcome(by_open)
    write("new", "two")
    os.utime("new", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace("new", "data.csv")
    assert outcome(by_open) == ("completed", "two")


def test_a_path_from_the_working_directory_means_the_file_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome(by_open)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    write("data.csv", "two")
    assert outcome(by_open) == ("completed", "two")
    write("data.csv", "one")
    assert outcome(by_open) == ("cached", "one")


def test_a_database_that_has_changed_runs_the_step_again() -> None:
    def change(value: str) -> None:
        with closing(sqlite3.connect("data.db")) as database:
            database.executescript(f"DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT '{value}' AS v")

    def read() -> str:
        with closing(sqlite3.connect("data.db")) as database:
            return str(database.execute("SELECT v FROM t").fetchone()[0])

    change("one")
    write("later", "the database is older than this")
    assert outcome(read) == ("completed", "one")
    assert outcome(read) == ("cached", "one")
    change("two")
    write("later", "the database is older than this")
    assert outcome(read) == ("completed", "two")


def test_a_removed_file_runs_the_step_again() -> None:
    def read() -> str:
        try:
            return by_open()
        except FileNotFoundError:
            return "nothing"

    outcome(read)
    os.unlink("data.csv")
    assert outcome(read) == ("completed", "nothing")
    assert last_reasons() == ["file data.csv is gone"]
    assert outcome(read) == ("cached", "nothing")
    write("data.csv", "two")
    assert outcome(read) == ("completed", "two")
    assert last_reasons() == ["file data.csv is there now"]


def in_folder() -> str:
    return " ".join(sorted(path.read_text() for path in Path("parts").glob("*.txt")))


def by_listdir() -> str:
    return " ".join(sorted(os.listdir("parts")))


def by_walk() -> str:
    return " ".join(sorted(name for _, _, names in os.walk(os.path.abspath("parts")) for name in names))


@pytest.mark.parametrize("read", [in_folder, by_listdir, by_walk])
def test_a_new_file_in_a_folder_that_was_listed_runs_the_step_again(read: Read) -> None:
    os.mkdir("parts")
    write("parts/a.txt", "one")
    assert outcome(read)[0] == "completed"
    assert outcome(read)[0] == "cached"
    write("parts/b.txt", "two")
    assert outcome(read)[0] == "completed"


def test_what_the_step_writes_is_nothing_that_it_used() -> None:
    def read() -> str:
        write("made.txt", "made")
        return Path("made.txt").read_text()

    outcome(read)
    write("made.txt", "by somebody else")
    assert outcome(read) == ("cached", "made")


def test_what_another_program_writes_for_the_step_is_nothing_that_it_used() -> None:
    def read() -> str:
        subprocess.run(["cp", "data.csv", "made.txt"], check=True)
        return Path("made.txt").read_text()

    outcome(read)
    os.unlink("made.txt")
    assert outcome(read)[0] == "cached"


@pytest.mark.parametrize("place", [".git/config", "__pycache__/x", ".cache/x", "hub/x", "home/x"])
def test_caches_and_settings_do_not_count(place: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(work / ".cache"))
    monkeypatch.setenv("HF_HOME", str(work / "hub"))
    path = work / place if place != "home/x" else Client().workspace.home.path / "x"
    path.parent.mkdir(exist_ok=True)
    write(path, "one")
    outcome(path.read_text)
    write(path, "two")
    assert outcome(path.read_text)[0] == "cached"


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/tmp/x/data.csv", False),
        ("/tmp/job/data.csv", True),
        ("/srv/data.csv", True),
        ("/etc/passwd", False),
        ("/usr/share/words", False),
        ("/proc/meminfo", False),
        (os.__file__, False),
        (pytest.__file__, False),
        ("/srv/home/catalog.db", False),
    ],
)
def test_temporary_files_do_not_count_unless_the_program_works_among_them(
    path: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    places = files.Places.of_process(Path("/srv/home"))
    assert replace(places, temporary=("/tmp/",), work=("/tmp/job/",)).counts(path) == counts


def test_what_artfs_reads_for_a_step_is_no_file_of_its_own(work: Path) -> None:
    register_artifact(work / "data.csv", name="table")

    def read() -> str:
        return str(load_artifact("table").name)

    outcome(read)
    run = next(iter(Client().list_pipeline_runs(sort_by="desc:started")))
    uses = Client().workspace.catalog.step_uses.of(run.steps["compute"].row.id)
    assert [use.kind for use in uses] == ["name"]


def test_registered_data_counts_as_the_version_that_it_is(work: Path) -> None:
    (work / "set").mkdir()
    write(work / "set/a.txt", "one")
    version = register_artifact(work / "set", name="set")

    @step
    def compute(data: Path) -> str:
        return (data / "a.txt").read_text() + (Path(str(load_artifact("set"))) / "a.txt").read_text()

    @pipeline
    def given() -> None:
        compute(Client().get_artifact_version("set", "1"))

    taken = given().steps["compute"]
    uses = Client().workspace.catalog.step_uses.of(taken.row.id)
    assert [(use.kind, use.name) for use in uses] == [("name", b"set/latest")]
    assert {each.id for each in taken.output.lineage.upstream()} == {version.id}


def test_a_file_with_another_time_is_read_once_to_know_that_it_is_the_same() -> None:
    outcome(by_open)
    os.utime("data.csv", ns=(1, 1))
    assert outcome(by_open)[0] == "cached"
    run = next(iter(Client().list_pipeline_runs(sort_by="desc:started")))
    (use,) = Client().workspace.catalog.step_uses.of(run.steps["compute"].row.cached_from_id or 0)
    assert use.mtime_ns == 1


def test_beyond_the_limit_a_file_counts_by_size_and_time_alone() -> None:
    os.truncate("data.csv", files.MOST_BYTES + 1)

    def read() -> str:
        with open("data.csv") as file:
            return file.read(3)

    outcome(read)
    reason = "file data.csv counts by its size and time alone: the step has read too much to hash it all"
    assert reason in last_reasons()
    assert outcome(read)[0] == "cached"
    assert reason in last_reasons()
    os.utime("data.csv", ns=(1, 1))
    assert outcome(read)[0] == "completed"


def test_a_step_in_another_process_is_watched_too(work: Path) -> None:
    source = """
    from artfs import step, pipeline
    @step
    def compute() -> str:
        with open("data.csv") as file:
            return file.read()
    @pipeline(executor="processes", workers=1)
    def reading():
        compute()
    taken = reading().steps["compute"]
    print(taken.status, taken.output.load())
    """
    assert programs.run(work, source) == "completed one\n"
    assert programs.run(work, source) == "cached one\n"
    write("data.csv", "two")
    assert programs.run(work, source) == "completed two\n"


def test_so_many_files_of_a_step_are_recorded_at_most() -> None:
    paths = {f"/missing/{number}": False for number in range(MOST_FILES + 10)}
    assert len(files.used(paths, None)) == MOST_FILES


def test_a_step_can_leave_out_what_it_was_seen_to_use() -> None:
    outcome(by_open, observe=False)
    write("data.csv", "two")
    assert outcome(by_open, observe=False) == ("cached", "one")


def in_c() -> str:
    return subprocess.run(["cat", "data.csv"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("declared", ["data.csv", "*.csv", "**/*.csv", "."])
def test_a_file_that_nobody_sees_being_read_can_be_declared(declared: str) -> None:
    def status() -> tuple[str, str]:
        return outcome(in_c, depends_on=[declared])

    assert [status(), status()] == [("completed", "one"), ("cached", "one")]
    write("data.csv", "two")
    assert [status(), status()] == [("completed", "two"), ("cached", "two")]
    if declared != "data.csv":
        write("more.csv", "more")
        assert status()[0] == "completed"
        assert last_reasons() == ["file more.csv is new"]
        os.unlink("more.csv")
        assert status()[0] == "cached"


def test_a_declared_name_that_looks_like_a_pattern_is_the_file_that_is_called_so() -> None:
    write("data[1].csv", "one")
    outcome(in_c, depends_on=["data[1].csv"])
    write("data[1].csv", "two")
    assert outcome(in_c, depends_on=["data[1].csv"])[0] == "completed"


def test_a_declared_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceNotFound, match=r"depends on missing\.csv, but nothing is there"):
        outcome(in_c, depends_on=["missing.csv"])
    with pytest.raises(InvalidValue, match="depends_on is a list"):
        outcome(in_c, depends_on="data.csv")
