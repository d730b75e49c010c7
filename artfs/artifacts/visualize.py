"""Showing a version to a person: in the notebook, or as one page in the browser."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import mimetypes
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artfs.content.digest import BLOCK_SIZE, Digest, hash_bytes
from artfs.content.files import atomic_write
from artfs.enums import VisualizationType
from artfs.errors import DigestMismatch
from artfs.text.html import facts

if TYPE_CHECKING:
    from artfs.catalog.versions import Version
    from artfs.catalog.visualizations import Visualization
    from artfs.workspace.workspace import Workspace

_MOST_ROWS = 1000
"""A table in a page is for looking at; the file itself has all rows."""

_STYLE = (
    "body{font-family:system-ui,sans-serif;margin:2rem;max-width:80rem}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}img{max-width:100%}"
    "iframe{width:100%;height:80vh;border:1px solid #ccc}pre{white-space:pre-wrap}"
)


def visualize(workspace: Workspace, version: Version, *, open_browser: bool = True) -> Path | None:
    """Show the visualizations of a version, or its metadata where it has none.

    Args:
        workspace: where it is.
        version: what to show.
        open_browser: False writes the page and does not open it.

    Returns:
        the path of the page; None when it was displayed in a notebook.

    Raises:
        DigestMismatch: a visualization is not what was stored.
    """
    shown = [
        (row, read_visualization(workspace, row.digest)) for row in workspace.catalog.visualizations.list(version.id)
    ]
    facts_piece = facts(workspace.catalog.metadata.get(version.id), version.shown_name)
    pieces = [_as_html(row, content) for row, content in shown]
    if open_browser and display_in_notebook(pieces or [facts_piece]):
        return None
    headed = [f"<h2>{html.escape(row.name)}</h2>\n{piece}" for (row, _), piece in zip(shown, pieces, strict=True)]
    body = [*headed, "<h2>Metadata</h2>", facts_piece]
    return write_page(workspace, version.uuid, version.shown_name, body, open_browser=open_browser)


def read_visualization(workspace: Workspace, digest: Digest) -> bytes:
    """Return the bytes of a visualization, checked.

    Raises:
        FileNotFoundError: they are gone.
        DigestMismatch: they are not what was stored.
    """
    blob = workspace.catalog.blobs.get(digest)
    if blob is None or blob.size <= BLOCK_SIZE or blob.blocks is not None:
        with workspace.blobs.open(digest) as reader:
            return bytes(reader.read(0, reader.size))
    # An earlier release kept no digests of the blocks of large ones.
    for place in workspace.blobs.places.of(blob.id):
        with place.open() as file:
            content = file.pread(0, blob.size + 1)
        if hash_bytes(content) == digest:
            return content
    raise DigestMismatch("a visualization is damaged: save the version again", subject=digest)


def page_path(workspace: Workspace, name: str) -> Path:
    """Return where a page is written; that of a version is named by its id."""
    return workspace.home.cache / "pages" / f"{name}.html"


def write_page(workspace: Workspace, name: str, title: str, pieces: Sequence[str], *, open_browser: bool) -> Path:
    """Write a page of pieces of HTML, open it in the browser if that is wanted, and return its path."""
    page = page_path(workspace, name)
    for folder in (workspace.home.cache, page.parent):
        workspace.home.sharing.make_folder(folder)
    shown, body = html.escape(title), "\n".join(pieces)
    content = (
        f"<!doctype html>\n<html><head><meta charset='utf-8'><title>{shown}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{shown}</h1>\n{body}\n</body></html>\n"
    )
    atomic_write(page, content.encode("utf-8", "backslashreplace"), mode=workspace.home.sharing.file)
    if open_browser:
        webbrowser.open(page.as_uri())
    return page


def display_in_notebook(pieces: Sequence[str]) -> bool:
    """Display pieces of HTML if this is a notebook, and answer whether it is one."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    notebook: Any = import_module("IPython.display")
    for piece in pieces:
        notebook.display(notebook.HTML(piece))
    return True


def _as_html(row: Visualization, content: bytes) -> str:
    return _PIECES[VisualizationType(row.kind)](row.name, content)


def _html_piece(name: str, content: bytes) -> str:
    # In a frame of its own, without scripts: the page may come from anywhere.
    return f'<iframe sandbox srcdoc="{html.escape(_text(content))}"></iframe>'


def _image_piece(name: str, content: bytes) -> str:
    kind = mimetypes.guess_type(name)[0] or "image/png"
    return f'<img alt="{html.escape(name)}" src="data:{kind};base64,{base64.b64encode(content).decode()}">'


def _csv_piece(name: str, content: bytes) -> str:
    rows = list(csv.reader(io.StringIO(_text(content))))
    cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows[:_MOST_ROWS]]
    more = f"<p>and {len(rows) - _MOST_ROWS} more rows</p>" if len(rows) > _MOST_ROWS else ""
    return f"<table>{''.join(f'<tr>{each}</tr>' for each in cells)}</table>{more}"


def _json_piece(name: str, content: bytes) -> str:
    try:
        text = json.dumps(json.loads(content), indent=2, ensure_ascii=False)
    except ValueError:
        text = _text(content)
    return f"<pre>{html.escape(text)}</pre>"


def _markdown_piece(name: str, content: bytes) -> str:
    return f"<pre>{html.escape(_text(content))}</pre>"


_PIECES: Mapping[VisualizationType, Callable[[str, bytes], str]] = {
    VisualizationType.HTML: _html_piece,
    VisualizationType.IMAGE: _image_piece,
    VisualizationType.CSV: _csv_piece,
    VisualizationType.JSON: _json_piece,
    VisualizationType.MARKDOWN: _markdown_piece,
}


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
