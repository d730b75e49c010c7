"""Nothing that is kept makes a terminal do anything: control characters are refused in names, and else only shown."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from artfs.artifacts.metadata import log
from artfs.catalog.versions import Version
from artfs.errors import InvalidName, InvalidValue
from artfs.lineage.dot import to_dot
from artfs.lineage.graph import version_graph
from artfs.lineage.svg import to_svg
from artfs.names import (
    check_artifact_name,
    check_run_name,
    check_stack_name,
    check_store_name,
    check_tag_name,
    check_version_name,
)
from artfs.text.html import facts
from artfs.workspace.workspace import Workspace
from support.tampering import tamper

Run = Callable[..., Result]
Seal = Callable[..., Version]

HOSTILE = {
    "C0": "\x1b]0;title\x07",
    "carriage return": "a\rb",
    "DEL": "a\x7fb",
    "C1": "a\x9b2Jb",
    "line separator": "a\u2028b",
    "bidi override": "a\u202eb",
    "bidi isolate": "a\u2066b",
}

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What must not come out; but for tabs and line ends, which separate."""


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "check",
    [check_artifact_name, check_version_name, check_tag_name, check_store_name, check_stack_name, check_run_name],
)
def test_no_name_has_control_characters(check: Callable[[str], str], text: str) -> None:
    with pytest.raises(InvalidName, match="it contains a control character"):
        check(text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_key_of_metadata_has_control_characters(workspace: Workspace, seal_files: Seal, text: str) -> None:
    version = seal_files("p", {"f": b"x"})
    for logged in (log, lambda workspace, version, values: workspace.catalog.metadata.set(version.id, values)):
        with pytest.raises(InvalidValue, match="without control characters") as raised:
            logged(workspace, version, {text: 1})
        assert not OBEYED.search(str(raised.value))
    assert workspace.catalog.metadata.get(version.id) == {}


@pytest.fixture
def hostile_home(home: Path, workspace: Workspace, seal_files: Seal) -> str:
    """A home whose catalog was written by somebody else, or by a release that was less strict; returns the text."""
    text = "".join(HOSTILE.values())
    version = seal_files("p", {"f": b"x"}, tags=["tag"])
    workspace.catalog.metadata.set(version.id, {"key": text})
    run = workspace.catalog.runs.create("train", "first", status="failed", config={"command": [text]})
    workspace.catalog.steps.create(run.id, "fit", status="failed", source=text, parameters={text: text})
    tamper(home, "UPDATE version_meta SET key = ?", text)
    tamper(home, "UPDATE version SET type = ?, data_type = ?, save_type = ?", text, text, text)
    tamper(home, "UPDATE artifact SET name = ?", f"p{text}")
    tamper(home, "UPDATE tag SET name = ?", text)
    tamper(home, "UPDATE run SET name = ?, error = ?", text, text)
    tamper(home, "UPDATE step_run SET name = ?, error = ?", text, text)
    tamper(home, "UPDATE store SET name = ? WHERE id > 0", text)
    return text


COMMANDS = (
    "artifact list",
    "artifact list --json",
    "artifact version list",
    "artifact version describe ID",
    "artifact version describe ID --json",
    "artifact metadata ID",
    "artifact metadata ID --json",
    "artifact tag ID",
    "verify --all",
    "run list",
    "run show RUN",
    "run show RUN --json",
    "lineage ID",
    "lineage ID --format dot",
    "lineage ID --format json",
    "lineage ID --format openlineage",
    "lineage ID --format svg",
    "artifact-store list",
    "stack list",
    "run explain RUN",
    "doctor",
    "artifact prune --dry-run",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_what_a_terminal_obeys(
    run: Run, workspace: Workspace, hostile_home: str, on_terminal: Callable[..., str], command: str
) -> None:
    words = [
        {"ID": workspace.catalog.versions.list()[0].uuid, "RUN": workspace.catalog.runs.list()[0].uuid}.get(word, word)
        for word in command.split()
    ]
    result = run(*words)
    assert result.exit_code != 2 and "unexpected" not in result.stderr
    assert not OBEYED.search(result.stdout + result.stderr)
    assert not re.search("[\x80-\x9f\u2028-\u202e\u2066-\u2069\x07\x7f]", on_terminal(*words))


def test_values_are_shown_and_not_obeyed(run: Run, workspace: Workspace, hostile_home: str) -> None:
    found = run("artifact", "version", "describe", workspace.catalog.versions.list()[0].uuid)
    assert r"\x1b]0;title\x07a\rb" in found.stdout
    as_json = run("artifact", "version", "describe", workspace.catalog.versions.list()[0].uuid, "--json")
    assert json.loads(as_json.stdout)["metadata"] == {hostile_home: hostile_home}


def test_a_traceback_is_printable_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise OSError(f"\x1b[2J{HOSTILE['bidi override']}")

    monkeypatch.setattr("artfs.cli.session.Session.workspace", fail)
    result = run("--debug", "artifact", "list")
    assert "Traceback" in result.stderr and not OBEYED.search(result.stderr)


def test_pictures_and_pages_turn_nothing_round(workspace: Workspace, hostile_home: str) -> None:
    graph = version_graph(workspace.catalog, workspace.catalog.versions.list()[0].id)
    for text in (to_dot(graph), to_svg(graph), facts({hostile_home: hostile_home}, hostile_home)):
        assert not OBEYED.search(html.unescape(text))
