"""`/README.txt`: how to use a mount, in one page."""

from __future__ import annotations

from typing import Final

from artfs_mount.tree import inode
from artfs_mount.tree.node import FOREVER, TEXT_MODE, Attributes, Generated

PAGE: Final = """\
This is a mount of artfs: versions of ML artifacts (datasets, models, reports) that you can `ls`.

READ
  ls artifacts                             all artifacts
  ls artifacts/NAME                        its versions, oldest first with `ls -U`
  cat artifacts/NAME/VERSION/...           the files of a version: complete, checked, never changing
  cd artifacts/NAME/latest/                the newest version
  cd artifacts/NAME/@TAG/                  the newest version that carries the tag

  A program that goes on reading `latest/...` moves to a newer version when there is one. To stay with the
  one of now: `cd "$(realpath artifacts/NAME/latest)"`.

{write}
LOOK INTO A VERSION
  cat artifacts/NAME/VERSION/.artfs/info.json      who, when, what; also metadata.json, tags, manifest.json
  (cd artifacts/NAME/VERSION && b3sum --check .artfs/B3SUMS)
  getfattr -n user.artfs.digest artifacts/NAME/VERSION    also id, type, tags and metadata.KEY
  artfs artifact tag NAME/VERSION best prod        gives it tags
  artfs artifact metadata NAME/VERSION accuracy=0.93     logs a value: a number, text or JSON

  Neither `.artfs` nor these attributes are listed: copies of a version hold its own files only.

SEE WHERE A VERSION CAME FROM
  ls -l lineage/NAME/VERSION/              producer, consumers, upstream, downstream, ancestors, descendants,
                                           and the graph as graph.svg, graph.dot and graph.json
  ls runs/PIPELINE/latest/                 a run: run.json, status, dag.svg, environment.txt, steps/STEP/...
  ls -l runs/PIPELINE/latest/steps/STEP/inputs     what a step read; also outputs, source.py, log.txt
  ls -l tags/TAG/                          all versions that carry a tag, of whatever artifact
  ls -l models/MODEL/production/           versions that belong together; also staging, latest, VERSION

LOOK AT THE MOUNT
  artfs status .                           drafts and why they wait, errors; also .artfs/status.json
"""

WRITE: Final = """\
WRITE
  cp model.pkl incoming/                   a file becomes a version of the artifact `model.pkl`,
  cp -r checkpoint/ incoming/my_model      a directory becomes one of `my_model`, when nothing has been
                                           written to it for a while (2 s a file, 10 s a directory, 60 s
                                           while the program runs); checkpoints in it when they are complete
  artfs commit incoming/my_model           ... or now; prints the version
  mv incoming/my_model artifacts/my_model/v1     ... or now, and named `v1`
  ln -s /data/set incoming/set             a version of data that stays where it is
  artfs discard incoming/my_model/old      removes what is in no version, such as what a killed program left
  artfs sync .                             returns when everything written so far is a version

  What lies in `incoming` is yours to change or remove; it never touches a version. Nothing under
  `artifacts` can be changed ("Read-only file system").
"""

READ_ONLY: Final = """\
NOTHING CAN BE WRITTEN
  The home of this mount can only be read, so there is no `incoming`.
"""


class Readme(Generated):
    """The page. It never changes while a mount lasts, so its inode number is fixed."""

    __slots__ = ("_takes_drafts", "mtime_ns")

    def __init__(self, mtime_ns: int, *, takes_drafts: bool) -> None:
        self.ino = int(inode.Fixed.README)
        self.mtime_ns = mtime_ns
        self._takes_drafts = takes_drafts

    def content(self) -> bytes:
        return PAGE.format(write=WRITE if self._takes_drafts else READ_ONLY).encode()

    def attributes(self) -> Attributes:
        size = len(self.content())
        return Attributes(self.ino, TEXT_MODE, size, self.mtime_ns, seconds=FOREVER, name_seconds=FOREVER)
