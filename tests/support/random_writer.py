"""A program that changes drafts at random, and a plain directory in the same way.

    random_writer.py DRAFTS PLAIN ME SEED STEPS

Every file begins with the digest of the rest of it, so that anybody can tell whether it is whole. Several such programs
may run at once: each has drafts of its own, and one directory in a draft that they share.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from artfs.content.digest import hash_bytes

HEADER = 64
SHARED = "shared"
SIZES = (0, 10, 4_000, 70_000, 1_500_000)


def is_whole(content: bytes) -> bool:
    """Whether a file is as one of these programs wrote it."""
    return content[:HEADER] == hash_bytes(content[HEADER:]).hex().encode()


class Writer:
    """Does everything twice, below `drafts` and below `plain`. me: starts the names of its drafts."""

    def __init__(self, drafts: Path, plain: Path, me: str, chance: random.Random) -> None:
        self._roots = (drafts, plain)
        self._me = me
        self._chance = chance
        self._home = f"{SHARED}/{me}"
        for root in self._roots:
            (root / self._home).mkdir(parents=True, exist_ok=True)

    def step(self) -> None:
        """One change."""
        act = self._chance.choices(
            (
                self.write,
                self.overwrite,
                self.rewrite_and_rename,
                self.rename,
                self.remove,
                self.rename_draft,
                self.commit,
            ),
            (8, 4, 4, 3, 2, 2, 1),
        )[0]
        act()

    def write(self) -> None:
        path = self._new_path()
        content = self._content()
        for root in self._roots:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)

    def overwrite(self) -> None:
        """In place and piece by piece, without truncating first."""
        content = self._content()

        def act(path: Path) -> None:
            with open(path, "r+b", buffering=0) as file:
                for start in range(0, len(content), 100_000):
                    file.write(content[start : start + 100_000])
                file.truncate()

        self._to_some_file(act)

    def rewrite_and_rename(self) -> None:
        """Beside it, and renamed over it while it is open."""
        content = self._content()

        def act(path: Path) -> None:
            with open(path.with_name(".new"), "wb", buffering=0) as file:
                file.write(content[:HEADER])
                os.replace(path.with_name(".new"), path)
                file.write(content[HEADER:])

        self._to_some_file(act)

    def rename(self) -> None:
        target = self._new_path()

        def act(path: Path) -> None:
            root = next(root for root in self._roots if path.is_relative_to(root))
            (root / target).parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, root / target)

        self._to_some_file(act)

    def remove(self) -> None:
        self._to_some_file(os.unlink)

    def rename_draft(self) -> None:
        old, new = self._draft(), self._draft()
        for root in self._roots:
            if old != new and (root / old).exists():
                if (root / new).exists():
                    shutil.rmtree(root / new)
                os.rename(root / old, root / new)

    def commit(self) -> None:
        draft = self._roots[0] / self._draft()
        if draft.exists():
            os.setxattr(draft, "user.artfs.commit", b"")

    def _content(self) -> bytes:
        rest = self._chance.randbytes(self._chance.choice(SIZES))
        return hash_bytes(rest).hex().encode() + rest

    def _draft(self) -> str:
        return f"{self._me}-{self._chance.randrange(5)}"

    def _new_path(self) -> str:
        folder = self._chance.choice((self._home, self._draft(), f"{self._draft()}/deep/er"))
        return f"{folder}/{self._chance.randrange(6)}"

    def _to_some_file(self, act: Callable[[Path], object]) -> None:
        plain = self._roots[1]
        files = [path for start in (self._home, f"{self._me}-*") for path in sorted(plain.glob(f"{start}/**/*"))]
        files = [path for path in files if path.is_file()]
        if files:
            relative = self._chance.choice(files).relative_to(plain)
            for root in self._roots:
                act(root / relative)


def main(drafts: str, plain: str, me: str, seed: str, steps: str) -> None:
    writer = Writer(Path(drafts), Path(plain), me, random.Random(int(seed)))
    for _ in range(int(steps)):
        writer.step()


if __name__ == "__main__":
    main(*sys.argv[1:])
