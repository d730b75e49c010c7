"""Small self-contained HTML pages for visualizations."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence

from artfs.enums import VisualizationType
from artfs.materializers.base import BaseMaterializer

_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}"
    "th{background:#f6f6f6}pre{overflow:auto}h2{font-size:1.1em}"
)


def page(title: str, *parts: str) -> str:
    """Return a page with a title and `parts`, which are HTML already."""
    return (
        f"<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def write_page(materializer: BaseMaterializer, file_name: str, title: str, *parts: str) -> dict[str, VisualizationType]:
    """Write a page as a visualization, and return what `save_visualizations` has to return for it."""
    path = materializer.visualization_path(file_name)
    path.write_text(page(title, *parts), encoding="utf-8", errors="backslashreplace")
    return {os.fspath(path): VisualizationType.HTML}


def section(heading: str, body: str) -> str:
    """Return a part of a page under a heading; `body` is HTML already."""
    return f"<h2>{html.escape(heading)}</h2>\n{body}"


def preformatted(text: str) -> str:
    """Return `text` as it is, in a fixed-width font."""
    return f"<pre>{html.escape(text)}</pre>"


def table(rows: Iterable[tuple[str, object]]) -> str:
    """Return a table of two columns: names and values."""
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def grid(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a head."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
