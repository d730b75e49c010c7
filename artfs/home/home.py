"""artfs's own directory on this machine: catalog, default store, cache, mounts and settings."""

from __future__ import annotations

import contextlib
import grp
import os
import secrets
import shlex
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.content.files import sync_directory, sync_file
from artfs.errors import HomeError
from artfs.sharing import make_file
from artfs.stores.mark import read_mark

if TYPE_CHECKING:
    from artfs.home.config import Config
    from artfs.sharing import Sharing

HOME_VARIABLE = "ARTFS_HOME"

_CONFIG_FILE = "config.toml"


@dataclass(frozen=True)
class Home:
    """The directory that holds everything artfs keeps on this machine.

    Args:
        path: absolute path of the directory; it need not exist yet.
    """

    path: Path

    @classmethod
    def find(cls, explicit: Path | None = None) -> Home:
        """Return the home at `explicit`, else at `$ARTFS_HOME`, else in the platform's user data directory."""
        if explicit is not None:
            return cls(Path(os.path.abspath(explicit.expanduser())))
        if from_environment := os.environ.get(HOME_VARIABLE):
            return cls(Path(os.path.abspath(Path(from_environment).expanduser())))
        import platformdirs

        try:
            return cls(Path(platformdirs.user_data_dir("artfs")))
        except RuntimeError:
            raise HomeError(
                f"this user has no home directory that artfs's own could be in: set {HOME_VARIABLE} to a directory"
            ) from None

    @property
    def catalog_path(self) -> Path:
        return self.path / "catalog.db"

    @property
    def catalog_url(self) -> str:
        """Where the catalog is, for whoever opens it."""
        from urllib.parse import quote

        return f"sqlite://{quote(os.fsencode(self.catalog_path))}"

    @property
    def store_root(self) -> Path:
        return self.path / "store"

    @cached_property
    def cache(self) -> Path:
        """What can be made again; beside the home, in the user's own cache, where the home cannot be written."""
        if self.is_writable or not self.exists:
            return self.path / "cache"
        import platformdirs

        cache = Path(platformdirs.user_cache_dir("artfs")) / self.identity
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cache

    @property
    def mounts(self) -> Path:
        """The areas of the mounts; beside the home, with the cache, where the home cannot be written."""
        return (self.path if not self.exists or self.is_writable else self.cache) / "mounts"

    @property
    def config_path(self) -> Path:
        return self.path / _CONFIG_FILE

    @property
    def identity_path(self) -> Path:
        return self.path / "identity"

    @property
    def exists(self) -> bool:
        """Whether `create` has completed here."""
        return self.identity_path.exists()

    def existing(self) -> Home:
        """Return the home itself, for those who must not make one: what only reads, and what was named by hand.

        Raises:
            HomeError: nothing was made here.
        """
        if not self.exists:
            raise HomeError(f"no artfs home at {self.path}: run 'artfs init'", subject=self.path)
        return self

    @cached_property
    def is_writable(self) -> bool:
        """Whether this user may write to the home; one on a read-only file system, or of somebody else, can be read."""
        return os.access(self.path, os.W_OK)

    def check_writable(self) -> None:
        """Raise HomeError where the home can only be read."""
        if not self.is_writable:
            raise HomeError(f"the home {self.path} cannot be written, only read: use another one", subject=self.path)

    @property
    def may_begin_catalog(self) -> bool:
        """Whether the home is so new that it has no catalog yet. Otherwise one that is missing was lost."""
        return self._begin_path(self.identity).exists()

    def catalog_begun(self) -> None:
        """Say that the home has a catalog: from now on one that is missing is an error."""
        self._begin_path(self.identity).unlink(missing_ok=True)

    @cached_property
    def identity(self) -> str:
        """A UUID that tells this home from every other one that uses the same catalog."""
        try:
            return str(uuid.UUID(self.identity_path.read_text("ascii").strip()))
        except FileNotFoundError:
            raise HomeError(f"no artfs home at {self.path}: run 'artfs init'", subject=self.path) from None
        except (ValueError, OSError) as error:
            raise HomeError(f"cannot use {self.identity_path}: {error}", subject=self.path) from None

    @cached_property
    def manifest_key(self) -> bytes:
        """The key by which the home knows the manifests that it has written; made when it is first needed.

        Raises:
            HomeError: it cannot be read, or made.
        """
        path = self.path / "manifest.key"
        try:
            if not path.exists():
                self._create_once(path, secrets.token_hex(32))
            key = bytes.fromhex(path.read_text("ascii").strip())
        except (ValueError, OSError) as error:
            raise HomeError(f"cannot use {path}: {error}", subject=path) from None
        if len(key) != 32:
            raise HomeError(f"cannot use {path}: it has not 64 hexadecimal digits", subject=path)
        return key

    @cached_property
    def config(self) -> Config:
        """The settings of `config.toml`, read once."""
        from artfs.home.config import read_config

        return read_config(self.config_path)

    @property
    def active_stack(self) -> str:
        """The stack that new versions go to, also where another process has just chosen it.

        Raises:
            HomeError: the settings cannot be read.
        """
        try:
            status = os.stat(f"{self.path}/{_CONFIG_FILE}")  # each save asks, and a Path takes longer than the system
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            stamp = None
        known: tuple[Any, str] | None = self.__dict__.get("_chosen")
        if known is None or known[0] != stamp:
            from artfs.home.config import read_config

            _ = self.config  # kept from now on, so that `sharing` reads no file for each save
            self.__dict__["_chosen"] = known = (stamp, read_config(self.config_path).active_stack)
        return known[1]

    @property
    def sharing(self) -> Sharing:
        """The modes of what is made in it."""
        from artfs.home.config import read_config, sharing_of

        # A home that is being made keeps no settings in memory yet: they may be written just after.
        return sharing_of(self.__dict__.get("config") or read_config(self.config_path))

    @property
    def group(self) -> int | None:
        """The group that it is shared with."""
        return os.stat(self.path).st_gid if self.config.share == "group" else None

    def configure(self, **changes: Any) -> Config:
        """Write settings into `config.toml`, keeping its comments, and return all settings; None restores a default."""
        from artfs.home.config import change_config

        config = change_config(self.config_path, changes)
        self.__dict__["config"] = config
        return config

    def create(self) -> Home:
        """Make the directory and what belongs into it; safe to call again and from many processes at once.

        Raises:
            HomeError: the directory cannot be made or written, or is what is left of a home.
        """
        if self.exists and not self.is_writable:
            return self
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.path / "cache", self.mounts):
                if not directory.is_dir():
                    self.sharing.make_folder(directory)
            if not self.exists:
                self._check_unused()
                self.sharing.make_folder(self.store_root)
                self._create_identity()
        except HomeError:
            raise
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise HomeError(
                f"cannot make the artfs home at {self.path}: {reason}; choose another with {HOME_VARIABLE}",
                subject=self.path,
            ) from error
        return self

    def _check_unused(self) -> None:
        """Refuse to make a new home of what is left of one: its store and its drafts would belong to nobody."""
        mark = read_mark(str(self.store_root))
        if mark is not None:
            advice = f"echo {mark.home} > {shlex.quote(str(self.identity_path))} makes it the home again"
        elif self.catalog_path.exists() or any(self.store_root.glob("*/*")):
            advice = "put it back from a backup, or choose another folder"
        else:
            return
        # Another process may just have made it all.
        if not self.exists:
            raise HomeError(
                f"{self.path} holds artifacts, but its file 'identity' is missing: {advice}", subject=self.path
            )

    def _begin_path(self, identity: str) -> Path:
        """A file that is there until the home has a catalog; of no meaning for another identity."""
        return self.path / f".begin-{identity}"

    def share_with(self, group: str) -> Home:
        """Make the home, if it is not there, and let all members of a group use it.

        Raises:
            HomeError: there is no such group, or this user may not give a folder to it.
        """
        try:
            group_id = grp.getgrnam(group).gr_gid
        except KeyError:
            raise HomeError(f"there is no group '{group}'; see 'getent group'", subject=group) from None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(self.path, -1, group_id)
            self.configure(share="group")
            os.chmod(self.path, self.sharing.folder)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise HomeError(
                f"cannot share {self.path} with the group '{group}': {reason}; be its owner and a member of the group",
                subject=self.path,
            ) from error
        return self.create()

    def _create_once(self, path: Path, line: str) -> bool:
        """Make a file of one line, durable. The first process wins: a link is made whole, and never over another."""
        draft = self.path / f".{path.name}-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with open(draft, "x", encoding="ascii", opener=self.sharing.opener) as file:
                file.write(f"{line}\n")
                file.flush()
                sync_file(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        # Versions that are saved here are safe from a power cut only if the home is.
        sync_directory(self.path)
        return True

    def _create_identity(self) -> None:
        identity = str(uuid.uuid4())
        make_file(self._begin_path(identity), self.sharing.file)
        if not self._create_once(self.identity_path, identity):
            self._begin_path(identity).unlink()
        with contextlib.suppress(OSError):  # one may be allowed to write there and not to look; some cannot be synced
            sync_directory(self.path.parent)
