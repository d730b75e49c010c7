"""artfs's own directory on this machine: catalog, default store, cache, mounts and settings."""

from __future__ import annotations

import contextlib
import os
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.content.files import sync_directory, sync_file
from artfs.errors import HomeError

if TYPE_CHECKING:
    from artfs.config import Config

HOME_VARIABLE = "ARTFS_HOME"


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

        return cls(Path(platformdirs.user_data_dir("artfs")))

    @property
    def catalog_path(self) -> Path:
        return self.path / "catalog.db"

    @property
    def store_root(self) -> Path:
        return self.path / "store"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def mounts(self) -> Path:
        return self.path / "mounts"

    @property
    def config_path(self) -> Path:
        return self.path / "config.toml"

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
    def identity(self) -> str:
        """A UUID that tells this home from every other one that uses the same catalog."""
        try:
            return str(uuid.UUID(self.identity_path.read_text("ascii").strip()))
        except FileNotFoundError:
            raise HomeError(f"no artfs home at {self.path}: run 'artfs init'", subject=self.path) from None
        except (ValueError, OSError) as error:
            raise HomeError(f"cannot use {self.identity_path}: {error}", subject=self.path) from None

    @cached_property
    def config(self) -> Config:
        """The settings of `config.toml`, read once."""
        from artfs.config import read_config

        return read_config(self.config_path)

    def configure(self, **changes: Any) -> Config:
        """Write settings into `config.toml`, keeping its comments, and return all settings; None restores a default."""
        from artfs.config import change_config

        config = change_config(self.config_path, changes)
        self.__dict__["config"] = config
        return config

    def create(self) -> Home:
        """Make the directory and what belongs into it; safe to call again and from many processes at once.

        Raises:
            HomeError: the directory cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.store_root, self.cache, self.mounts):
                directory.mkdir(mode=0o700, exist_ok=True)
            self._create_identity()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise HomeError(
                f"cannot make the artfs home at {self.path}: {reason}; choose another with {HOME_VARIABLE}",
                subject=self.path,
            ) from error
        return self

    def _create_identity(self) -> None:
        """The first process wins: a link is made whole or not at all, and never over an existing one."""
        if self.identity_path.exists():
            return
        draft = self.path / f".identity-{os.getpid()}-{uuid.uuid4().hex}"
        try:
            with draft.open("x", encoding="ascii") as file:
                file.write(f"{uuid.uuid4()}\n")
                file.flush()
                sync_file(file.fileno())
            os.link(draft, self.identity_path)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
        # Versions that are saved here are safe from a power cut only if the home is.
        sync_directory(self.path)
        with contextlib.suppress(OSError):  # one may be allowed to write there and not to look; some cannot be synced
            sync_directory(self.path.parent)
