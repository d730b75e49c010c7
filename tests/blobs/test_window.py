"""What is read ahead for a cursor: nothing for one that jumps, twice as much each time for one that goes on."""

from __future__ import annotations

import random

from artfs.blobs.memory import Memory
from artfs.blobs.window import LARGEST, Window
from artfs.content.digest import BLOCK_SIZE, PIECE_SIZE

SIZE = 64 * BLOCK_SIZE
REQUEST = 2 * PIECE_SIZE


def go(window: Window, start: int, end: int) -> list[int]:
    """Read from one byte to another in requests of the kernel's size, and return the blocks that were due."""
    due: list[int] = []
    for at in range(start, end, REQUEST):
        window.move(at, REQUEST)
        due += window.due()
    return due


def test_it_doubles_as_the_cursor_goes_on_up_to_its_largest() -> None:
    window = Window(SIZE, Memory(8 * BLOCK_SIZE))
    ahead = []
    for end in (REQUEST, 2 * REQUEST, 4 * REQUEST, 8 * REQUEST):
        go(window, window._position, end)
        ahead.append(window.bytes_ahead)
    assert ahead == [REQUEST, 2 * REQUEST, 4 * REQUEST, 8 * REQUEST]
    go(window, 8 * REQUEST, 16 * BLOCK_SIZE)
    assert window.bytes_ahead == LARGEST


def test_each_block_is_due_once_and_before_it_is_wanted() -> None:
    window = Window(SIZE, Memory(8 * BLOCK_SIZE))
    assert go(window, 0, BLOCK_SIZE // 4) == []
    assert go(window, BLOCK_SIZE // 4, SIZE) == list(range(1, 64))


def test_what_reads_a_little_and_goes_has_nothing_read_ahead_and_no_blocks() -> None:
    window = Window(SIZE, Memory(8 * BLOCK_SIZE))
    assert go(window, 0, 2**20) == []
    assert not window.takes_blocks


def test_random_reads_never_have_anything_read_ahead() -> None:
    window, chance = Window(SIZE, Memory(8 * BLOCK_SIZE)), random.Random(1)
    for _ in range(1000):
        at = chance.choice([number for number in range(0, SIZE, 3 * 2**20) if abs(number - window._position) > 2**20])
        window.move(at, PIECE_SIZE)
        assert window.due() == []
        assert not window.takes_blocks


def test_requests_that_overtake_each_other_are_still_in_order() -> None:
    window, chance = Window(SIZE, Memory(8 * BLOCK_SIZE)), random.Random(1)
    due: list[int] = []
    for at in range(0, SIZE, 4 * REQUEST):
        for offset in chance.sample([at, at + REQUEST, at + 2 * REQUEST, at + 3 * REQUEST], 4):
            window.move(offset, REQUEST)
            due += window.due()
    assert due == list(range(1, 64))


def test_a_jump_begins_anew() -> None:
    window = Window(SIZE, Memory(8 * BLOCK_SIZE))
    go(window, 0, 4 * BLOCK_SIZE)
    window.move(40 * BLOCK_SIZE, REQUEST)
    assert (window.bytes_ahead, window.takes_blocks, window.due()) == (REQUEST, False, [])
    assert go(window, 40 * BLOCK_SIZE + REQUEST, 41 * BLOCK_SIZE)[0] == 41


def test_many_cursors_share_the_memory() -> None:
    memory = Memory(8 * BLOCK_SIZE)
    windows = [Window(SIZE, memory) for _ in range(32)]
    for window in windows:
        go(window, 0, 4 * BLOCK_SIZE)
    assert all(window.bytes_ahead * 2 * len(windows) <= memory.limit for window in windows)
    assert not any(window.takes_blocks for window in windows), "what is read of a block would be gone before it is used"
    for window in windows[1:]:
        window.close()
    assert windows[0].bytes_ahead == LARGEST and windows[0].takes_blocks
