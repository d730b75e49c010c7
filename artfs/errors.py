"""Every error that artfs raises on purpose. Each is also the builtin that a caller would expect."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection
from typing import ClassVar

from artfs.secrets.redaction import redacted


class ArtfsError(Exception):
    """Base of all errors of artfs; `str(error)` is one line that says what, why and what to do.

    Args:
        message: the line for the user; secrets in it are hidden.
        subject: the name or path the error is about, for programs.
    """

    def __init__(self, message: str, *, subject: str | bytes | os.PathLike[str] | None = None) -> None:
        super().__init__(redacted(message))
        self.subject = subject


class ArtfsOSError(ArtfsError, OSError):
    """Base of the errors that carry an errno, for callers that speak errno (the mount)."""

    code: ClassVar[int] = errno.EIO

    def __init__(self, message: str, *, subject: str | bytes | os.PathLike[str] | None = None) -> None:
        super().__init__(message, subject=subject)
        self.errno = self.code


class NotFound(ArtfsOSError, FileNotFoundError):
    """A thing that was named does not exist."""

    code = errno.ENOENT


class ArtifactNotFound(NotFound):
    """No artifact has this name or id."""


class VersionNotFound(NotFound):
    """The artifact has no such version (any more)."""


class ContentNotFound(ArtfsOSError, FileNotFoundError):
    """The catalog does not know a content that something refers to, as after an older catalog was restored."""


class DraftNotFound(NotFound):
    """Nothing of this name lies in /incoming."""


class StoreNotFound(NotFound):
    """No artifact store has this name or id."""


class StackNotFound(NotFound):
    """No stack has this name."""


class TagNotFound(NotFound):
    """No tag has this name, or the version does not carry it."""


class RunNotFound(NotFound):
    """No run or step run has this name or id."""


class PipelineNotFound(NotFound):
    """No pipeline has this name."""


class ModelNotFound(NotFound):
    """No model, or version of a model, has this name."""


class SourceNotFound(NotFound):
    """The file or directory that should become a version, or the program to be run, does not exist."""


class ProgramRefused(ArtfsOSError, PermissionError):
    """A program is there and cannot be run."""

    code = errno.EACCES


class AlreadyExists(ArtfsOSError, FileExistsError):
    """A name is already taken."""

    code = errno.EEXIST


class VersionExists(AlreadyExists):
    """The artifact already has a version of this name."""


class PlaceExists(AlreadyExists):
    """Something already lies at this place of the store, and stored bytes are never overwritten."""


class InvalidName(ArtfsError, ValueError):
    """A name of an artifact, version, tag or file that cannot be used."""


class InvalidValue(ArtfsError, ValueError):
    """An argument or setting that makes no sense."""


class NotMadeYet(InvalidValue, AttributeError, TypeError):
    """A step's output was used as a value while its pipeline is composed, when no step has run."""


class UnsupportedFile(InvalidValue):
    """A FIFO, socket or device: it has no content that a version could keep."""


class StoreError(ArtfsOSError):
    """A store could not do what was asked of it."""


class NoSpace(StoreError):
    """The disk is too small for what was to be written."""

    code = errno.ENOSPC


class StoreTimeout(StoreError, TimeoutError):
    """A store did not answer in time; whoever asks again later may have an answer."""

    code = errno.ETIMEDOUT


class OutsideStore(ArtfsOSError, PermissionError):
    """A path that leads outside of its store's root."""

    code = errno.EACCES


class ReadOnly(ArtfsOSError, PermissionError):
    """Versions never change, and there is no other way to write here."""

    code = errno.EROFS


class ReaderClosed(ArtfsError, ValueError):
    """A reader was closed, by whoever had opened it, before this could be read."""


class DigestMismatch(ArtfsOSError):
    """Stored bytes are not what was stored; they are never returned."""


class ManifestInvalid(ArtfsOSError):
    """What a store keeps about a version is cut off, was changed, or was never written by artfs."""


class PlaceChanged(ArtfsOSError):
    """Data registered in place was changed or removed after it was registered."""


class ChangedWhileReading(ArtfsOSError):
    """A file was written to while its content was being measured."""

    code = errno.EBUSY


class Cancelled(ArtfsOSError, InterruptedError):
    """The caller gave up on work that was under way."""

    code = errno.EINTR


class CatalogError(ArtfsError, RuntimeError):
    """The catalog cannot be used."""


class CatalogTooNew(CatalogError):
    """The catalog was written by a newer release."""


class CatalogCorrupt(CatalogError):
    """The catalog's file is damaged or is not a catalog."""


class CatalogMissing(NotFound, CatalogError):
    """A home that was used has no catalog (any more), or an empty one."""


class CatalogReplaced(CatalogError):
    """The catalog's file was replaced or removed while it was in use."""


class OlderCatalog(CatalogError):
    """The stores hold versions that the catalog does not know: an older one was restored."""


class CatalogBusy(CatalogError):
    """Another process has been writing the catalog for longer than it is waited for."""


class MissingPlace(CatalogError):
    """A version names blobs that lie nowhere (any more): put their bytes in a store, then try again.

    Args:
        digests: of those blobs.
    """

    def __init__(self, digests: Collection[bytes]) -> None:
        super().__init__(f"the bytes of {len(digests)} files are in no store (any more): store them, then try again")
        self.digests = frozenset(digests)


class MountError(ArtfsOSError):
    """The mount could not be made, or does not answer."""


class NotMounted(MountError):
    """No mount of artfs is at this path."""

    code = errno.ENOTCONN


class DraftHeld(ArtfsError, RuntimeError):
    """A draft cannot become a version now; the line says why."""


class StepFailed(ArtfsError, RuntimeError):
    """A step failed in another process with an error that cannot be brought here; the message has its traceback."""


class UntrustedPickle(ArtfsOSError, PermissionError):
    """Loading would run code that this catalog did not save itself."""

    code = errno.EACCES


class UntrustedClass(UntrustedPickle):
    """Loading would import a module that nothing which this home saved or registered has named."""


class HomeError(ArtfsOSError):
    """artfs's own directory or its config.toml cannot be used."""


class MaterializerError(ArtfsError, RuntimeError):
    """A value could not be turned into files, or its files not into a value."""


class MaterializerNotFound(ArtfsError, ImportError):
    """The class that saved a value, or that is to load it, cannot be imported or is no materializer."""


class ClassNotFound(ArtfsError, ImportError):
    """The class of a stored value cannot be imported (any more) under the name it was saved with."""


class MissingLibrary(ArtfsError, ImportError):
    """An optional library is needed and not installed; the line says what to install."""
