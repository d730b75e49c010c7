"""When a unit of a draft is complete: a marker, a new name, a pointer, a next one."""

from __future__ import annotations

from typing import Any

import pytest

from artfs_mount.incoming.complete.rule import Seal, Wait
from support.draft_stories import WHOLE, lived, told

C5 = ("0 save checkpoint-5/model", "0 save checkpoint-5/trainer_state.json")

# What happens to a draft whose writer lives for ever; when which versions are made of it, and by what.
VERSIONS: dict[str, tuple[tuple[str, ...], list[tuple[float, str]]]] = {
    "Trainer": (C5, [(2, "marker")]),
    "no sign at all": (("0 save a", "1 save b"), [(61, "quiet")]),
    "a mode that comes late": ((*C5, "1.5 chmod checkpoint-5/model"), [(3.5, "marker")]),
    "another rank is late": ((*C5, "1.9 save checkpoint-5/rng_state_1.pth"), [(3.9, "marker")]),
    "another rank writes on": (
        (*C5, "1 open checkpoint-5/rng_state_1.pth", "9 close checkpoint-5/rng_state_1.pth"),
        [(11, "marker")],
    ),
    "copied, the marker first": (
        ("0 save c/trainer_state.json", "1 save c/a", "2 save c/b", "3 save c/c"),
        [(5, "marker")],
    ),
    "copied, the marker in the middle": (
        ("0 save c/a", "1 save c/_SUCCESS", "2 save c/b", "3 save c/c"),
        [(5, "marker")],
    ),
    "the marker is renamed into place": (
        ("0 save d/__0_0.distcp", "1 save d/.metadata.tmp", "1 rename d/.metadata.tmp d/.metadata"),
        [(3, "marker")],
    ),
    "written over, as torch does": (
        (
            *("0 save d/__0_0.distcp", "0 save d/.metadata", "20 save d/__0_0.distcp", "21 save d/.metadata.tmp"),
            *("21.5 remove d/.metadata", "21.6 rename d/.metadata.tmp d/.metadata"),
        ),
        [(2, "marker"), (23.6, "marker")],
    ),
    "the draft itself has the marker": (("0 save a", "1 save dataset_info.json"), [(3, "marker")]),
    "Orbax": (
        ("0 save 7.orbax-checkpoint-tmp/d/a", "1 save 7.orbax-checkpoint-tmp/d/b", "2 rename 7.orbax-checkpoint-tmp 7"),
        [(4, "rename")],
    ),
    "a directory renamed from any other name": (("0 save old/a", "2 rename old new"), [(62, "quiet")]),
    "Accelerate": (("0 save checkpoint_0/a", "9 save checkpoint_1/a"), [(9, "next"), (69, "quiet")]),
    "the next one begins at once": (
        ("0 save checkpoint_0/a", "0.5 mkdir checkpoint_1", "0.5 save checkpoint_1/a"),
        [(2, "next"), (60.5, "quiet")],
    ),
    "files of a series": (("0 save epoch=1.ckpt", "9 save epoch=2.ckpt"), [(9, "next"), (69, "quiet")]),
    "parts of one save are no series": (
        (
            *("0 save checkpoint-00001-of-00002.bin", "1 save checkpoint-00002-of-00002.bin"),
            "1 save checkpoint.bin.index.json",
        ),
        [(61, "quiet")],
    ),
    "what ranks write is no series": (("0 save checkpoint_rank0.pt", "1 save checkpoint_rank1.pt"), [(61, "quiet")]),
    "parts of a save that have numbers are no series": (
        ("0 save rng_state_0.pth", "1 save rng_state_1.pth"),
        [(61, "quiet")],
    ),
}


@pytest.mark.parametrize("what", VERSIONS)
def test_when_a_unit_is_complete(what: str) -> None:
    lines, versions = VERSIONS[what]
    story = lived(*lines, until=200)
    assert [(version.at, version.by) for version in story.versions] == versions
    assert story.is_sealed
    assert story.versions[-1].files == {path.decode(): content for path, content in story.files.items()}


POINTERS = {
    "DeepSpeed": ("latest", "global_step500", "global_step500"),
    "Megatron": ("latest_checkpointed_iteration.txt", "500\n", "iter_0000500"),
}


@pytest.mark.parametrize("what", POINTERS)
def test_a_pointer_names_what_is_complete(what: str) -> None:
    pointer, text, named = POINTERS[what]
    story = lived(f"0 save {named}/rank_0", "0 save other", f"1 save {pointer}", until=3, texts={pointer: text})
    assert [(version.at, version.by) for version in story.versions] == [(3, "marker")]
    assert f"{named}/rank_0" in story.versions[0].files


@pytest.mark.parametrize("text", ["", "../elsewhere", "..", "a/b", "500.5"])
def test_a_pointer_that_names_no_directory_beside_it_says_nothing(text: str) -> None:
    lines = ("0 save global_step500/rank_0", "1 save latest_checkpointed_iteration.txt")
    story = lived(*lines, until=30, texts={"latest_checkpointed_iteration.txt": text, "latest": text})
    assert story.versions == []


def test_writers_that_have_ended_end_the_wait_sooner() -> None:
    for facts, at in (({"ended": True}, 10), ({"ended": True, "ended_well": True}, 2), ({"ended": False}, 60)):
        assert [version.at for version in lived("0 save a/b", until=100, facts=facts).versions] == [at]


def test_a_stopped_writer_keeps_quiet_from_coming_and_no_unit_from_being_taken() -> None:
    story = lived(*C5, "1 save other", until=200, facts={"ended": False, "stopped": True})
    assert [version.by for version in story.versions] == ["marker"]
    assert isinstance(told("0 save a", facts={"ended": False, "stopped": True}).decide(1000), Wait)


# Each of these keeps a marked unit out of versions, and not the other one, nor a file beside them.
HINDERED: dict[str, tuple[str, ...]] = {
    "open": ("0 open {}/model",),
    "open, deep in it": ("0 open {}/a/b/c/model",),
    "emptied and written for long": ("0 save {}/model", "0 open {}/model"),
    "a failed write": ("0 open {}/model", "0 failed {}/model", "0 close {}/model"),
    "a killed writer": ("0 open {}/model", "0 killed {}/model"),
    "a temporary name": ("0 save {}/.tmpJ3k2a1",),
    "a temporary directory": ("0 save {}/variables_temp/part-0",),
}


@pytest.mark.parametrize("where", ["", "out/", "a/b/"])
@pytest.mark.parametrize("what", HINDERED)
def test_what_holds_a_unit_back_holds_no_other(what: str, where: str) -> None:
    bad, good = f"{where}checkpoint-5", f"{where}checkpoint-6"
    lines = [line.format(bad) for line in HINDERED[what]]
    more = (f"0 save {bad}/trainer_state.json", f"1 save {where}beside", f"1 save {good}/w")
    story = lived(*lines, *more, f"1 save {good}/trainer_state.json", until=50)
    (version,) = story.versions
    assert (version.at, version.by) == (3, "marker")
    assert version.names == {f"{good}/w", f"{good}/trainer_state.json", f"{where}beside"}


def test_a_checkpoint_within_a_checkpoint_is_taken_with_it() -> None:
    """DeepSpeed's part is complete at once; the Trainer's, which it is in, is not."""
    inner = ("0 save c/checkpoint-5/global_step5/rank_0", "0 save c/checkpoint-5/latest")
    texts = {"c/checkpoint-5/latest": "global_step5"}
    outer = ("8 save c/checkpoint-5/model", "9 save c/checkpoint-5/trainer_state.json")
    story = lived(*inner, *outer, until=50, texts=texts)
    assert [version.at for version in story.versions] == [11]
    assert len(story.versions[0].files) == 4


@pytest.mark.parametrize("inner", ["checkpoint_1.pt", "global_step5/rank_0", "epoch=1/model.pt"])
def test_what_looks_like_a_checkpoint_within_one_needs_no_sign_of_its_own(inner: str) -> None:
    story = lived(f"0 save checkpoint-5/{inner}", "0 save checkpoint-5/trainer_state.json", until=50)
    assert [len(version.files) for version in story.versions] == [2]


def test_of_a_marked_unit_whose_inner_one_is_written_nothing_is_taken() -> None:
    story = lived(
        "0 open 7/default/a", "0 save 7/default/manifest.ocdbt", "0 save 7/default/commit_success.txt",
        "0 save 7/b", "0 save 7/commit_success.txt",
        "1 save 8/b", "1 save 8/commit_success.txt",
        until=50,
    )  # fmt: skip
    assert [version.names for version in story.versions] == [{"8/b", "8/commit_success.txt"}]


def test_a_collection_with_a_marker_of_its_own_is_no_bar_to_what_is_in_it() -> None:
    """`trainer.save_state()` writes one beside the checkpoints; then training is resumed."""
    first = ("0 save out/checkpoint-5/w", "0 save out/checkpoint-5/trainer_state.json", "0 save out/trainer_state.json")
    again = ("100 save out/checkpoint-6/w", "100 save out/checkpoint-6/trainer_state.json")
    busy = ("100.5 rmtree out/checkpoint-5", "101 open out/checkpoint-7/w")
    story = lived(*first, *again, *busy, until=150)
    assert [version.at for version in story.versions] == [2, 102]
    assert story.versions[-1].names == {
        "out/trainer_state.json",
        "out/checkpoint-6/w",
        "out/checkpoint-6/trainer_state.json",
    }


def test_a_marker_says_nothing_of_another_unit() -> None:
    assert told(*C5, "0 save other/a").decide(2) == Seal("marker", frozenset({}))
    assert told(*C5, "1 save other/a").decide(2) == Seal("marker", frozenset({b"other"}))


def test_all_of_a_version_is_whole() -> None:
    story = lived(*C5, "1 open checkpoint-6/w", until=10)
    assert [content.state for version in story.versions for content in version.files.values()] == [WHOLE, WHOLE]


def rotation(count: int, every: float, limit: int, where: str, *, before: bool) -> list[str]:
    """Lines of a training that saves every so often, and keeps so many. before: it removes before it saves."""
    lines = []
    for number in range(count):
        at = number * every
        old = f"rmtree {where}checkpoint-{number - limit}"
        if before and number >= limit:
            lines.append(f"{at} {old}")
        for part, name in ((1 / 8, "w"), (1 / 4, "o"), (1 / 3, "trainer_state.json")):
            lines.append(f"{at + every * part} save {where}checkpoint-{number}/{name}")
        if not before and number >= limit:
            lines.append(f"{at + every / 2} {old}")
    return lines


@pytest.mark.parametrize("every", [0.3, 1.0, 2.0, 2.5, 7.0, 70.0])
@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("where", ["", "out/"])
@pytest.mark.parametrize("before", [False, True])
def test_every_finished_checkpoint_is_in_a_version_whole(every: float, limit: int, where: str, before: bool) -> None:
    lines = ["0 append log.txt", *rotation(8, every, limit, where, before=before)]
    story = lived(*lines, until=1000)
    whole = {f"{where}checkpoint-{number}/{name}" for number in range(8) for name in ("w", "o", "trainer_state.json")}
    found: dict[str, set[Any]] = {}
    for version in story.versions:
        checkpoints = {name.rpartition("/")[0] for name in version.files} - {""}
        for checkpoint in checkpoints:
            assert len([name for name in version.files if name.startswith(f"{checkpoint}/")]) == 3
        for name, content in version.files.items():
            found.setdefault(name, set()).add(content)
    assert whole <= found.keys()
    assert all(len(contents) == 1 for name, contents in found.items() if name in whole)
