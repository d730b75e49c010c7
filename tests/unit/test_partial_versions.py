"""Versions of drafts that go on changing: what is complete, what was pinned, and logs as long as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artfs.errors import Cancelled
from artfs_mount.incoming import stubs
from artfs_mount.incoming.looks import Unfit
from artfs_mount.incoming.namespace import RENAME_EXCHANGE
from support.working_drafts import WorkingDrafts

MARKER = "trainer_state.json"
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
IN_PLACE = os.O_RDWR


@pytest.fixture
def drafts(home: Path, tmp_path: Path) -> WorkingDrafts:
    return WorkingDrafts(home, tmp_path / "mnt")


def checkpoint(drafts: WorkingDrafts, path: str, content: bytes) -> dict[str, bytes]:
    """A checkpoint that is complete; what a version has of it."""
    drafts.save(f"{path}/model", content)
    drafts.save(f"{path}/deep/er/optimizer", b"of " + content)
    drafts.save(f"{path}/{MARKER}", b"{}")
    inner = path.partition("/")[2]
    return {f"{inner}/model": content, f"{inner}/deep/er/optimizer": b"of " + content, f"{inner}/{MARKER}": b"{}"}


def test_what_is_complete_is_taken_and_the_rest_goes_on(drafts: WorkingDrafts) -> None:
    log = drafts.open("run/run.log", APPEND)
    drafts.write(log, b"1\n")
    first = checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.now = 1
    busy = drafts.open("run/checkpoint-6/model")
    drafts.write(busy, b"half")
    drafts.now = 2
    made = drafts.seal("run")
    assert drafts.stored(made.version) == {"run.log": b"1\n", **first}
    assert made.version.sealed_by == "marker"
    assert stubs.blob_of(os.fsencode(drafts.path("run/checkpoint-5/model"))) is not None
    assert stubs.blob_of(os.fsencode(drafts.path("run/run.log"))) is None
    drafts.write(log, b"2\n", 2)
    drafts.write(busy, b" and the rest", 4)
    drafts.close(busy)
    drafts.save(f"run/checkpoint-6/{MARKER}", b"{}")
    drafts.now = 4
    second = drafts.seal("run")
    taken = {"run.log": b"1\n2\n", "checkpoint-6/model": b"half and the rest", f"checkpoint-6/{MARKER}": b"{}"}
    assert drafts.stored(second.version) == {**first, **taken}
    assert drafts.stored(made.version)["run.log"] == b"1\n"
    assert drafts.scratch() == set()


def test_of_what_changed_while_it_was_looked_at_no_copy_stays(drafts: WorkingDrafts) -> None:
    drafts.write(drafts.open("run/run.log", APPEND), b"1\n")
    checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.now = 2
    commit = drafts.begin("run")
    commit.look()
    commit.snapshot()
    assert drafts.scratch() != set()
    drafts.now = 3
    drafts.save("run/checkpoint-5/model", b"other")
    with pytest.raises(Cancelled):
        commit.decide()
    drafts.tidy()
    assert drafts.scratch() == set()


def test_a_checkpoint_that_is_gone_is_taken_as_it_was_pinned(drafts: WorkingDrafts) -> None:
    first = checkpoint(drafts, "run/out/checkpoint-5", b"five")
    assert drafts.pin("run") == ["out/checkpoint-5"]
    drafts.now = 1
    drafts.remove("run/out/checkpoint-5")
    second = checkpoint(drafts, "run/out/checkpoint-6", b"six")
    drafts.now = 3
    assert drafts.stored(drafts.seal("run").version) == {**first, **second}
    assert drafts.scratch() == set()
    assert not drafts.path("run/out/checkpoint-5").exists()


def test_a_file_that_is_a_unit_is_taken_as_it_was_pinned(drafts: WorkingDrafts) -> None:
    drafts.save("run/out/epoch=1.ckpt", b"one")
    drafts.save("run/out/epoch=2.ckpt", b"two")
    assert drafts.pin("run") == ["out/epoch=1.ckpt"]
    drafts.remove("run/out/epoch=1.ckpt")
    drafts.now = 2
    assert drafts.stored(drafts.seal("run").version) == {"out/epoch=1.ckpt": b"one"}


def test_what_is_left_of_a_checkpoint_that_is_being_deleted_cannot_reach_its_version(drafts: WorkingDrafts) -> None:
    first = checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.pin("run")
    drafts.now = 1
    drafts.remove("run/checkpoint-5/deep")
    drafts.now = 3
    version = drafts.seal("run").version
    assert drafts.stored(version) == first
    assert drafts.path("run/checkpoint-5/model").stat().st_nlink == 1
    file = drafts.open("run/checkpoint-5/model", IN_PLACE)
    drafts.write(file, b"F")
    drafts.close(file)
    drafts.path("run/checkpoint-5/model").chmod(0o600)
    assert drafts.path("run/checkpoint-5/model").read_bytes() == b"Five"
    assert drafts.stored(version) == first


REWRITES = {
    "emptied and written": (os.O_WRONLY | os.O_TRUNC, True),
    "written in place": (IN_PLACE, False),
    "appended to": (APPEND, False),
}


@pytest.mark.parametrize("how", REWRITES)
def test_a_pinned_file_that_is_written_again(drafts: WorkingDrafts, how: str) -> None:
    flags, keeps = REWRITES[how]
    first = checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.pin("run")
    kept = drafts.incoming.drafts.pins.of(b"run", b"checkpoint-5")
    assert kept is not None
    drafts.now = 1
    file = drafts.open("run/checkpoint-5/model", flags)
    drafts.write(file, b"new")
    still = drafts.incoming.drafts.pins.of(b"run", b"checkpoint-5")
    if keeps:
        assert still == kept
        assert Path(os.fsdecode(kept.path), "model").read_bytes() == first["checkpoint-5/model"]
    else:
        assert still is None
    drafts.close(file)
    drafts.save(f"run/checkpoint-5/{MARKER}", b"{}")
    now = drafts.path("run/checkpoint-5/model").read_bytes()
    drafts.now = 2
    assert drafts.pin("run") == ["checkpoint-5"]
    drafts.now = 4
    assert drafts.stored(drafts.seal("run").version) == {**first, "checkpoint-5/model": now}
    assert drafts.scratch() == set()


def test_a_pinned_file_that_is_cut_is_not_cut_in_its_pin(drafts: WorkingDrafts) -> None:
    checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.pin("run")
    node = drafts.node("run/checkpoint-5/model")
    drafts.incoming.contents.truncate(node, 2, drafts.incoming.drafts.who(os.getpid()))
    assert drafts.incoming.drafts.pins.of(b"run", b"checkpoint-5") is None


def test_a_log_in_a_checkpoint_that_is_gone_is_taken_as_long_as_it_was(drafts: WorkingDrafts) -> None:
    log = drafts.open("run/checkpoint-5/run.log", APPEND)
    drafts.write(log, b"1\n")
    first = checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.pin("run")
    drafts.now = 1
    drafts.remove("run/checkpoint-5")
    drafts.write(log, b"2\n", 2)
    drafts.now = 2
    version = drafts.seal("run").version
    drafts.write(log, b"3\n", 4)
    assert drafts.stored(version) == {**first, "checkpoint-5/run.log": b"1\n"}


def test_files_of_a_pin_have_the_links_that_the_user_made(drafts: WorkingDrafts) -> None:
    checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.link("run/checkpoint-5/model", "run/checkpoint-5/same")
    drafts.pin("run")
    pins = drafts.incoming.drafts.pins
    assert {name: pins.links(drafts.path(f"run/checkpoint-5/{name}").stat()) for name in ("model", "same", MARKER)} == {
        "model": 2, "same": 2, MARKER: 1,
    }  # fmt: skip
    drafts.now = 0.5
    drafts.remove("run/checkpoint-5/same")
    assert pins.links(drafts.path("run/checkpoint-5/model").stat()) == 1
    drafts.now = 2
    drafts.seal("run")
    assert drafts.path("run/checkpoint-5/model").stat().st_nlink == 1


def test_a_pin_of_a_unit_that_changed_while_it_was_made_is_none(drafts: WorkingDrafts) -> None:
    checkpoint(drafts, "run/checkpoint-5", b"five")
    draft, made = drafts.draft("run"), drafts.incoming.drafts.pins.make(os.fsencode(drafts.path("run/checkpoint-5")))
    drafts.now = 0.1
    file = drafts.open("run/checkpoint-5/model", IN_PLACE)
    drafts.incoming.drafts.pin(draft, b"checkpoint-5", made, 0)
    assert draft.history.pinned == {}
    drafts.close(file)
    drafts.tidy()
    assert drafts.scratch() == set()


def test_a_pinned_unit_that_is_not_whole_is_given_up(drafts: WorkingDrafts) -> None:
    drafts.save("run/checkpoint-5/model.safetensors", b"\xff" * 7 + b"\x00" + b"x" * 100)
    drafts.save(f"run/checkpoint-5/{MARKER}", b"{}")
    drafts.pin("run")
    drafts.now = 1
    drafts.remove("run/checkpoint-5")
    drafts.now = 2
    commit = drafts.begin("run")
    commit.look()
    with pytest.raises(Unfit) as raised:
        commit.snapshot()
    assert commit.give_up_pins(raised.value.looks) == []
    drafts.tidy()
    assert drafts.draft("run").history.pinned == {}
    assert drafts.scratch() == set()


def test_the_pins_of_a_draft_go_with_it_to_another_name(drafts: WorkingDrafts) -> None:
    first = checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.save("run/a", b"a")
    drafts.pin("run")
    drafts.remove("run/checkpoint-5")
    drafts.rename("run", "other")
    drafts.now = 2
    assert drafts.stored(drafts.seal("other").version) == {**first, "a": b"a"}
    assert drafts.scratch() == set()


def test_drafts_that_change_places_take_their_pins_along(drafts: WorkingDrafts) -> None:
    contents = {name: checkpoint(drafts, f"{name}/checkpoint-5", name.encode()) for name in ("one", "two")}
    drafts.pin("one")
    drafts.remove("one/checkpoint-5")
    drafts.save("one/a", b"a")
    drafts.rename("one", "two", RENAME_EXCHANGE)
    drafts.now = 2
    assert drafts.stored(drafts.seal("one").version) == contents["two"]
    drafts.now = 3
    assert drafts.stored(drafts.seal("two").version) == {**contents["one"], "a": b"a"}


def test_units_that_change_places_are_what_they_are_now(drafts: WorkingDrafts) -> None:
    five = checkpoint(drafts, "run/checkpoint-5", b"five")
    six = checkpoint(drafts, "run/checkpoint-6", b"six")
    drafts.pin("run")
    drafts.now = 1
    drafts.rename("run/checkpoint-5", "run/checkpoint-6", RENAME_EXCHANGE)
    drafts.pin("run")
    drafts.now = 3
    swapped = {name.replace("5", "6"): five[name] for name in five} | {
        name.replace("6", "5"): six[name] for name in six
    }
    assert drafts.stored(drafts.seal("run").version) == swapped


def test_a_unit_that_is_renamed_is_in_one_place(drafts: WorkingDrafts) -> None:
    five = checkpoint(drafts, "run/checkpoint-5", b"five")
    drafts.pin("run")
    drafts.now = 1
    drafts.rename("run/checkpoint-5", "run/best")
    drafts.pin("run")
    drafts.now = 3
    best = {name.replace("checkpoint-5", "best"): content for name, content in five.items()}
    assert drafts.stored(drafts.seal("run").version) == best
