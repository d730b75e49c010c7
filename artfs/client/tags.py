"""Tags."""

from __future__ import annotations

from artfs.client.base import _Calls
from artfs.objects.tag import TagResponse


class _TagCalls(_Calls):
    """What a client can be asked about tags."""

    def list_tags(self) -> list[TagResponse]:
        """Return all tags, by name."""
        return [TagResponse.of(row) for row in self.workspace.catalog.tags.list()]

    def create_tag(self, name: str, *, exclusive: bool = False) -> TagResponse:
        """Make a tag, or change whether it is exclusive: then at most one version of an artifact carries it.

        A tag that becomes exclusive stays on the newest version of each artifact.
        """
        return TagResponse.of(self.workspace.catalog.tags.set_exclusive(name, exclusive))

    def delete_tag(self, name: str) -> None:
        """Take a tag off everything and forget it. Raises TagNotFound."""
        self.workspace.catalog.tags.delete(name)
