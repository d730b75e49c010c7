"""Opens blobs for verified reading, wherever their bytes lie."""

from __future__ import annotations

from artfs.content.digest import Digest
from artfs.stores.verified import BlobReader
from artfs.workspace import Workspace


class Blobs:
    """Finds a blob's places in the catalog and opens a reader over them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def by_digest(self, digest: Digest) -> BlobReader:
        """A reader of the blob with this digest."""
        return self._workspace.open_blob(digest)
