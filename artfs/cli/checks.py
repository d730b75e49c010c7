"""What `artfs doctor` looks at: each check is a function that returns what it found. None changes anything."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from artfs.cli import daemons
from artfs.cli.printing import readable_count
from artfs.cli.reporting import explain
from artfs.errors import ArtfsError, OlderCatalog, StoreError
from artfs.home.home import Home
from artfs.linux import mounts
from artfs.workspace.modes import WrongMode, stores_of, wrong_modes

FUSE_DEVICE = Path("/dev/fuse")
FUSE_CONFIGURATION = Path("/etc/fuse.conf")
OWN_NAMESPACE = Path("/proc/self/ns/pid")
FIRST_NAMESPACE = 0xEFFF_FFFC
"""The inode of the PID namespace that a machine starts with, PROC_PID_INIT_INO of the kernel."""
OLDEST_PYTHON = (3, 11)
MOST_FOLDERS = 20_000
"""Of more versions the folders in the stores are not looked at: that would take longer than people wait."""
LITTLE_SPACE = 5 * 2**30
NO_SPACE = 100 * 2**20

NETWORK_FILE_SYSTEMS = frozenset(
    ("9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs",
     "nfs", "nfs4", "smb3", "smbfs")
)  # fmt: skip
"""Types of file systems on which SQLite's write-ahead log and file locks cannot be relied on."""


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found.

    Args:
        name: what was looked at.
        level: whether artfs works with it.
        message: what was found.
        advice: what to do.
    """

    name: str
    level: Level
    message: str
    advice: str = ""


def all_checks(home: Home) -> Iterator[Check]:
    """Yield every check, the quick ones first."""
    yield python()
    yield fuse_library()
    yield fusermount()
    yield fuse_device(FUSE_DEVICE)
    yield allow_other(FUSE_CONFIGURATION)
    yield process_namespace(OWN_NAMESPACE)
    yield home_directory(home)
    yield disk_space(home)
    yield file_system(home)
    yield extended_attributes(home)
    yield modes(home)
    yield from dead_mounts()
    yield from left_drafts(home)
    yield catalog(home)
    yield from stores(home)
    yield from manifests(home)


def python() -> Check:
    """Whether this Python is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check("python", Level.FAIL, version, "install Python 3.11 or newer")
    return Check("python", Level.OK, version)


def fuse_library() -> Check:
    """Whether pyfuse3 and the C library below it can be loaded; in another process, as broken ones can end theirs."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import trio, pyfuse3; print(pyfuse3.__version__)"],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return Check("pyfuse3", Level.OK, done.stdout.strip())
    why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if "libfuse3" in why:
        return Check("pyfuse3", Level.FAIL, why, "install the C library: apt install libfuse3-3 fuse3")
    return Check("pyfuse3", Level.FAIL, why, "install it: pip install 'artfs[mount]'")


def fusermount() -> Check:
    """Whether users can mount."""
    found = shutil.which("fusermount3")
    if found is None:
        return Check("fusermount3", Level.FAIL, "it is not there", "install it: apt install fuse3")
    if os.stat(found).st_mode & stat.S_ISUID or os.geteuid() == 0:
        return Check("fusermount3", Level.OK, found)
    return Check("fusermount3", Level.FAIL, f"{found} is not setuid root", f"as root: chmod u+s {found}")


def fuse_device(device: Path) -> Check:
    """Whether the kernel offers FUSE to this user."""
    name = str(device)
    try:
        is_device = stat.S_ISCHR(device.stat().st_mode)
    except OSError as error:
        return Check(
            name, Level.FAIL, error.strerror or str(error),
            "load the module: modprobe fuse; in a container, start it with --device /dev/fuse --cap-add SYS_ADMIN",
        )  # fmt: skip
    if not is_device:
        return Check(name, Level.FAIL, "it is not a device", f"as root: rm {device}, then modprobe fuse")
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return Check(name, Level.FAIL, f"it cannot be opened: {error.strerror}", f"as root: chmod 666 {device}")
    return Check(name, Level.OK, "it can be opened")


def allow_other(configuration: Path) -> Check:
    """Whether users other than root may use `artfs mount --allow-other`."""
    name = "user_allow_other"
    try:
        lines = configuration.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as error:
        return Check(name, Level.WARN, f"{configuration} cannot be read: {error.strerror}")
    if name in (line.strip() for line in lines):
        return Check(name, Level.OK, f"set in {configuration}")
    advice = f"to let others read your mounts: echo {name} | sudo tee -a {configuration}"
    return Check(name, Level.WARN, f"not set in {configuration}, so --allow-other is for root alone", advice)


def process_namespace(own: Path) -> Check:
    """Whether a daemon that is started here sees all processes of the machine."""
    try:
        is_first = os.stat(own).st_ino == FIRST_NAMESPACE
    except OSError:
        return Check("processes", Level.WARN, "/proc is not there, so no program's reads are observed", "mount /proc")
    if is_first:
        return Check("processes", Level.OK, "all of this machine can be seen")
    message = (
        "a PID namespace of its own: of programs outside it nothing is observed, and their versions have no inputs"
    )
    return Check("processes", Level.WARN, message, "share the PID namespace (Kubernetes: shareProcessNamespace)")


def home_directory(home: Home) -> Check:
    """Whether there is a home that this user can use."""
    if home.exists:
        try:
            _ = home.identity, home.config
        except ArtfsError as error:
            return Check("home", Level.FAIL, str(error))
        if not os.access(home.path, os.R_OK | os.W_OK | os.X_OK):
            return Check("home", Level.FAIL, f"{home.path} cannot be written", "choose another: ARTFS_HOME, or --home")
        return Check("home", Level.OK, str(home.path))
    return Check("home", Level.WARN, f"none at {home.path} yet", "make it: artfs init")


def disk_space(home: Home) -> Check:
    """Whether there is room for versions."""
    free = shutil.disk_usage(_existing(home.path)).free
    message = f"{free / 2**30:.1f} GiB free at {home.path}"
    if free < NO_SPACE:
        return Check("disk space", Level.FAIL, message, "make room")
    if free < LITTLE_SPACE:
        return Check("disk space", Level.WARN, message, "make room before it runs out")
    return Check("disk space", Level.OK, message)


def file_system(home: Home, found: list[mounts.Mounted] | None = None) -> Check:
    """Whether the home is on a disk of this machine."""
    mount = mounts.mount_of(mounts.without_links(_existing(home.path)), found)
    message = f"{mount.file_system} at {mount.path}"
    if mount.file_system in NETWORK_FILE_SYSTEMS:
        return Check(
            "file system", Level.FAIL, f"{message} is a network file system, where the catalog can be damaged",
            "put the home on a local disk: ARTFS_HOME, or --home",
        )  # fmt: skip
    if mount.is_artfs:
        return Check("file system", Level.FAIL, f"the home is in a mount of artfs ({mount.path})", "put it elsewhere")
    return Check("file system", Level.OK, message)


def extended_attributes(home: Home) -> Check:
    """Whether the home's file system keeps what drafts need. Tried on a file without a name."""
    name = "extended attributes"
    if home.exists and not home.is_writable:
        return Check(name, Level.OK, f"{home.path} cannot be written, only read")
    try:
        with tempfile.TemporaryFile(dir=_existing(home.path)) as probe:
            os.setxattr(probe.fileno(), "user.artfs.probe", b"1")
    except OSError as error:
        advice = "put the home on ext4, xfs, btrfs, zfs or a tmpfs of Linux 6.6 or newer (ARTFS_HOME)"
        level = Level.FAIL if home.exists else Level.WARN
        return Check(name, level, f"not kept at {home.path}: {error.strerror}", advice)
    return Check(name, Level.OK, f"kept at {home.path}")


def modes(home: Home) -> Check:
    """Whether nobody but the right users can get at what is in the home."""
    try:
        wrong = list(wrong_in(home)) if home.exists else []
    except (ArtfsError, OSError) as error:
        return Check("modes", Level.WARN, f"they cannot be looked at: {explain(error)}")
    if not wrong:
        return Check("modes", Level.OK, f"the home is for its {home.config.share if home.exists else 'owner'}")
    first, more = wrong[0], f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    message = f"{first.path} has {first.found:04o} and must have {first.wanted:04o}{more}"
    return Check("modes", Level.FAIL, message, "put that right: artfs doctor --fix")


def wrong_in(home: Home) -> Iterator[WrongMode]:
    """Yield what has a wrong mode in a home, and, where its catalog can be opened, in its stores."""
    from artfs.workspace.workspace import Workspace

    stores: Sequence[tuple[Path, Sequence[str]]] = []
    if home.catalog_path.exists():
        # What goes wrong, the check of the catalog tells.
        with contextlib.suppress(ArtfsError, OSError), Workspace.of(home) as workspace:
            stores = stores_of(workspace)
    yield from wrong_modes(home, stores)


def dead_mounts(found: list[mounts.Mounted] | None = None) -> Iterator[Check]:
    """Mounts of this user whose daemon has died."""
    all_mounts = mounts.all_mounts() if found is None else found
    ours = [mount for mount in all_mounts if mount.is_artfs and mount.user_id in (None, os.getuid())]
    dead = [mount for mount in ours if mount.is_dead]
    for mount in dead:
        advice = f"mount it again (artfs mount {mount.path}) or take it away (artfs umount {mount.path})"
        yield Check("mounts", Level.FAIL, f"the daemon of {mount.path} has died", advice)
    if not dead:
        yield Check("mounts", Level.OK, f"{len(ours)} mounted, none without its daemon")


def left_drafts(home: Home) -> Iterator[Check]:
    """Drafts that are not versions, in areas that no daemon serves."""
    waiting = [area for area in daemons.areas(home) if area.drafts and not area.is_served]
    for area in waiting:
        names = ", ".join(area.drafts[:5]) + (", ..." if len(area.drafts) > 5 else "")
        message = f"{len(area.drafts)} not versions yet ({names}), in {area.path}, which no daemon serves"
        yield Check("drafts", Level.WARN, message, f"go on with them: artfs mount {area.mount_point or 'DIR'}")
    if not waiting:
        yield Check("drafts", Level.OK, "none left behind")


def catalog(home: Home) -> Check:
    """Whether the catalog can be opened by this release. Not whether all in it is sound: that takes a while."""
    if _has_no_catalog_yet(home):
        return Check("catalog", Level.OK, "none yet")
    from artfs.catalog import Catalog

    try:
        with Catalog.open(home.catalog_url, begin=False) as opened:
            versions = opened.versions.count()
    except (ArtfsError, OSError) as error:
        return Check("catalog", Level.FAIL, explain(error))
    how_many = readable_count(versions, "version")
    return Check(
        "catalog", Level.OK, f"{home.catalog_path} opens, with {how_many} ('artfs catalog check' reads it all)"
    )


def stores(home: Home) -> Iterator[Check]:
    """Whether the stores are there, and the catalog knows what is in them."""
    if _has_no_catalog_yet(home):
        return
    from artfs.home.older_catalog import check_not_older
    from artfs.workspace.moving import what_is_at
    from artfs.workspace.workspace import Workspace

    away: list[Check] = []
    try:
        with Workspace.of(home) as workspace:
            for store in workspace.stores.local():
                try:
                    store.check_there()
                except StoreError:
                    advice = f"mount it; if the store was moved: artfs artifact-store update '{store.name}' --path DIR"
                    message = f"'{store.name}' is not at '{store.root}': {what_is_at(store.root)}; is its disk mounted?"
                    away.append(Check("stores", Level.FAIL, message, advice))
            found = len(workspace.stores.rows())
            check_not_older(workspace.catalog, workspace.stores)
    except OlderCatalog as error:
        away.append(Check("stores", Level.FAIL, str(error), "docs/operations.md has more: Back up, restore, move"))
    except (ArtfsError, OSError):
        return  # the check of the catalog tells
    yield from away or [Check("stores", Level.OK, f"{found} registered, none missing")]


def manifests(home: Home) -> Iterator[Check]:
    """Whether the stores know of all versions in them, and the catalog of all that they know of."""
    if _has_no_catalog_yet(home):
        return
    from artfs.artifacts.orphans import unlisted
    from artfs.workspace.workspace import Workspace

    try:
        with Workspace(home) as workspace:
            owed = len(workspace.catalog.versions.without_folder())
            if workspace.catalog.versions.count() > MOST_FOLDERS:
                unknown = None
            else:
                stores = workspace.stores.local()
                unknown = [path for store in stores for _, path in unlisted(store, workspace.catalog)]
    except (ArtfsError, OSError):
        return  # the checks of the catalog and the stores tell
    if unknown:
        how_many = readable_count(len(unknown), "version")
        message = f"{how_many} in the stores {'is' if len(unknown) == 1 else 'are'} not in the catalog"
        yield Check("manifests", Level.WARN, message, "they stay; 'artfs gc' lists them")
    elif owed:
        message = "some versions of an earlier release have no manifest in their store"
        yield Check("manifests", Level.WARN, message, "'artfs gc' writes them")
    else:
        looked = "in order" if unknown is not None else "not looked at, as there are many; 'artfs gc' does"
        yield Check("manifests", Level.OK, looked)


def _has_no_catalog_yet(home: Home) -> bool:
    return not home.exists or (home.may_begin_catalog and not home.catalog_path.exists())


def _existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next(parent for parent in (path, *path.parents) if parent.is_dir())
