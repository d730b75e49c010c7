"""Names of the catalog as names of files: as they are where that can be, and never two alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artfs.catalog.lineage import Use
from artfs_mount.tree.file_names import catalog_name, file_name, slot_name, step_name, version_name

texts = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40)
tricky = st.text(alphabet="a@%.~/2F\x00", min_size=1, max_size=8)


def slot(name: str, position: int = 0) -> Use:
    return Use(1, name, position, 1, "declared")


@pytest.mark.parametrize("text", ["training", "a b", "größe", "50%", ".hidden", "a::b::output", "x@y", "a~b"])
def test_nearly_every_name_is_shown_as_it_is(text: str) -> None:
    assert file_name(text) == text.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a/b", b"a%2Fb"),
        (".", b"%2E"),
        ("..", b"%2E."),
        ("a\0b\n", b"a%00b%0A"),
        ("%2F", b"%252F"),
        ("latest", b"%6Catest"),
        ("", b"%"),
    ],
)
def test_what_a_path_cannot_hold_is_escaped(text: str, shown: bytes) -> None:
    assert file_name(text, taken=["latest"]) == shown


@given(texts | tricky)
def test_a_name_comes_back(text: str) -> None:
    shown = file_name(text)
    assert b"/" not in shown
    assert b"\0" not in shown
    assert shown not in (b".", b"..")
    if len(shown) < 255:
        assert catalog_name(shown) == text


@given(tricky, tricky, tricky, tricky)
def test_no_two_versions_are_shown_alike(a: str, b: str, c: str, d: str) -> None:
    assert (version_name(a, b) == version_name(c, d)) == ((a, b) == (c, d))
    assert (step_name(a, b, c) == step_name(d, b, c)) == (a == d)


@given(tricky | st.just("a.1"), st.integers(0, 12), tricky | st.just("a"), st.integers(0, 12))
def test_no_two_slots_are_shown_alike(one: str, at: int, other: str, where: int) -> None:
    assert (slot_name(slot(one, at)) == slot_name(slot(other, where))) == ((one, at) == (other, where))


def test_the_first_in_a_slot_has_its_name_and_the_others_their_position() -> None:
    assert [slot_name(slot("data", at)) for at in (0, 1, 12)] == [b"data", b"data.1", b"data.12"]
    assert slot_name(slot("data.1")) == b"data%2E1"


def test_what_is_too_long_is_cut_and_still_told_apart() -> None:
    one, other = file_name("ü" * 200 + "a"), file_name("ü" * 200 + "b")
    assert len(one) <= 255
    assert one.startswith("ü".encode() * 100)
    assert one != other
    assert one.decode()
