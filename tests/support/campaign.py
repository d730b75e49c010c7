"""Many writers at once in one mount, to each of which something happens in the middle of a save."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from support import replay
from support.all_patterns import MAY_BE_HELD
from support.judging import Contents, Verdict, look
from support.mount import MYSELF, PATIENCE_SECONDS, Mount, new_base, remove_base
from support.patterns import Pattern
from support.replay import Job, Step
from support.samples import write_samples
from support.warning_guard import ExpectedWarnings

What = Literal["pause", "kill", "fail", "catch", "nothing"]

SETTINGS = {
    "quiet_file_seconds": 0.3,
    "quiet_directory_seconds": 1.0,
    "quiet_unit_seconds": 0.5,
    "quiet_unproven_seconds": 6.0,
    "quiet_living_seconds": 8.0,
}
"""Of the mount: a second of it is ten of a user's, but that nothing is decided in a hurry while a writer lives."""
PAUSE_SECONDS = 2.5
"""Longer than a draft has to be quiet whose writers ended, and shorter than one whose writer lives."""
AT_ONCE = 30
_UNIQUE = re.compile(r"c\d{5}")


@dataclass(frozen=True)
class Case:
    """One writer, and what happens to it before one of its steps. unique: six characters that no other case has."""

    pattern: Pattern
    what: What
    step: int
    unique: str

    @property
    def draft(self) -> str:
        return self.pattern.draft(self.unique)

    @property
    def steps(self) -> list[Step]:
        """What its writer does."""
        mishap: dict[What, list[Step]] = {
            "pause": [("sleep", PAUSE_SECONDS)],
            "kill": [("kill", int(signal.SIGKILL))],
            "fail": [("fail",)],
            "catch": [("catch", PAUSE_SECONDS)],
            "nothing": [],
        }
        return [*self.pattern.steps[: self.step], *mishap[self.what], *self.pattern.steps[self.step :]]

    @property
    def where(self) -> str:
        """The step before which it happens, for people."""
        steps = self.pattern.steps
        return f"{self.step} {' '.join(map(str, steps[self.step][:3]))}"[:70] if self.step < len(steps) else "the end"


@dataclass(frozen=True)
class Outcome:
    """What became of a case. finished: the saves that its writer finished. code: its exit code."""

    case: Case
    finished: tuple[str, ...]
    verdict: Verdict
    code: int
    state: str

    @property
    def half(self) -> list[str]:
        """The half versions. A link to nothing is one only if its writer lived on."""
        faults = self.verdict.faults + (self.verdict.dangling if self.case.what in ("pause", "nothing") else [])
        return [f"{self.case.what} before {self.case.where}: {fault}" for fault in faults]

    @property
    def lost(self) -> list[str]:
        """The finished saves that are in no version, nor a copy of theirs that is another save.

        Of a database the last commit is enough, if it ended well. A folder that says nothing of its end may be held.
        """
        if self.case.what in MAY_BE_HELD.get(self.case.pattern.name, ()) and self.state.startswith("held: "):
            return []
        contents = {save.name: set(save.files.values()) for save in self.case.pattern.saves}
        there = [contents[save] for save in self.verdict.whole if save in contents]
        missing = [save for save in self.finished if save not in self.verdict.whole and contents.get(save) not in there]
        if self.case.pattern.database:
            order = [save.name for save in self.case.pattern.saves]
            newest = max((order.index(save) for save in self.verdict.whole), default=-1)
            missing = [save for save in missing[-1:] if self.code == 0 and order.index(save) > newest]
        return [
            f"{self.case.what} before {self.case.where}: {save} is in no version ({self.state})" for save in missing
        ]


@dataclass
class Campaign:
    """Runs cases in a mount."""

    mount: Mount
    contents: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @classmethod
    def begin(cls, mount: Mount, contents: Path | None = None) -> Campaign:
        """Makes what the writers write, unless it is there."""
        if contents is None:
            contents = Path(tempfile.mkdtemp(dir=mount.base))
            write_samples(contents)
        return cls(mount, contents)

    def case(self, pattern: Pattern, what: What = "nothing", step: int | None = None) -> Case:
        """A case that this mount has not had yet."""
        number = next(self._numbers)
        return Case(pattern, what, len(pattern.steps) if step is None else step, f"c{number:05d}")

    def run(self, cases: Sequence[Case]) -> list[Outcome]:
        """Lets all write, waits until the daemon has nothing more to decide, and looks at every version."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said = list(pool.map(self._write, cases))
        states = self.settle()
        contents = self.read_contents()
        artifacts = self.artifacts()
        outcomes = []
        for case, (code, finished) in zip(cases, said, strict=True):
            verdict = self.judge(case, artifacts[case.unique], contents)
            outcomes.append(Outcome(case, finished, verdict, code, states.get(case.draft, "gone")))
        return outcomes

    def job(self, draft: str, unique: str, steps: Sequence[Step]) -> Job:
        """What a writer of these steps is told."""
        outside = self.mount.base / "outside"
        outside.mkdir(exist_ok=True)
        places = {"@": draft, "^": "", "?": unique, "~": str(outside)}
        return Job(str(self.mount.incoming), str(self.contents), places, steps)

    def settle(self) -> dict[str, str]:
        """Waits until no draft will become a version by itself soon; returns what is told of each.

        It waits for as long as anything becomes of any of them.
        """
        before: dict[str, str] = {}
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            drafts = self.mount.status()["drafts"]
            pending = any(each["seconds"] is not None or each["state"] == "sealing" for each in drafts)
            now = {each["name"]: f"{each['state']}: {each['reason'] or each['error']}" for each in drafts}
            if (not pending and now == before) or time.monotonic() > give_up:
                return now
            if now != before:
                give_up = time.monotonic() + PATIENCE_SECONDS
            before = now
            time.sleep(0.5)  # what the kernel tells late, such as that a file was closed, is told by then

    def read_contents(self) -> Contents:
        """The bytes of each content by its name."""
        return {path.name: path.read_bytes() for path in self.contents.iterdir()}

    def _write(self, case: Case) -> tuple[int, tuple[str, ...]]:
        """Runs a writer to its end; returns its exit code, and the saves that it finished."""
        writer = replay.start(self.job(case.draft, case.unique, case.steps))
        try:
            said, _ = writer.communicate(timeout=2 * PATIENCE_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                writer.kill()
        return writer.returncode, replay.finished(said)

    def artifacts(self) -> dict[str, list[str]]:
        """The artifacts that each case made."""
        made = defaultdict(list)
        for artifact in sorted(os.listdir(self.mount.artifacts)):
            if found := _UNIQUE.search(artifact):
                made[found[0]].append(artifact)
        return made

    def judge(self, case: Case, artifacts: Sequence[str], contents: Contents) -> Verdict:
        """Looks at all versions of the artifacts that a case made."""
        verdict = Verdict()
        for artifact in artifacts:
            if artifact != case.draft:
                verdict.faults.append(f"an artifact {artifact.replace(case.unique, '')}")
                continue
            folder = self.mount.artifacts / artifact
            for version in sorted(os.listdir(folder)) if folder.exists() else []:
                if version.isdigit():
                    verdict.add(version, look(case.pattern, case.draft, folder / version, contents))
        return verdict


def each_step(patterns: Iterable[Pattern], what: What, every: int = 1) -> Iterator[tuple[Pattern, What, int]]:
    """The same before each step that is to be tried, or every so many of them: the arguments of a case."""
    yield from ((pattern, what, step) for pattern in patterns for step in pattern.probed[::every])


@contextlib.contextmanager
def campaigning(settings: Mapping[str, float], contents: Path | None = None) -> Iterator[Campaign]:
    """A campaign in a mount of its own, which is gone afterwards. Raises if the daemon logged a warning."""
    mount = Mount(new_base(MYSELF), settings=settings)
    try:
        yield Campaign.begin(mount.mount(), contents)
        mount.unmount()
        if bad := ExpectedWarnings().unexpected_in_log(mount.log()):
            raise AssertionError("unexpected in the daemon's log:\n" + "\n".join(bad))
    finally:
        mount.end()
        remove_base(mount.base)
