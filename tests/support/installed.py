"""A package that is installed in a directory of its own, entry points and all, as pip would leave it."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, name: str, modules: dict[str, str], entry_points: str) -> Path:
    """Install a package into `site`, a directory for sys.path, and return that.

    Args:
        site: made if it is not there.
        name: of the package and its distribution.
        modules: source texts by file name.
        entry_points: what `entry_points.txt` says.
    """
    (site / name).mkdir(parents=True)
    for file, source in {"__init__.py": "", **modules}.items():
        (site / name / file).write_text(source)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    return site
