"""Opens blobs for verified reading, wherever their bytes lie."""

from __future__ import annotations

from artfs.content.digest import Digest
from artfs.errors import StoreError
from artfs.stores.verified import BlobReader
from artfs.workspace import Workspace


class Blobs:
    """Finds a blob's places in the catalog and opens a reader over them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def by_digest(self, digest: Digest) -> BlobReader:
        """A reader of the blob with this digest.

        Raises StoreError for a content that the catalog does not know: the file that shows it is there.
        """
        try:
            return self._workspace.open_blob(digest)
        except FileNotFoundError as error:
            raise StoreError(f"{error}: restore the newer catalog, or remove the file", subject=digest) from error
