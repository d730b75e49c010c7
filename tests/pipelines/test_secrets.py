"""Pipelines keep no secrets: neither parameters that are called so, nor what errors say."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from artfs import pipeline, register_artifact, step
from artfs.client import Client
from artfs.errors import InvalidValue
from artfs.stores.local.store import LocalStore
from artfs.workspace.current import current_workspace
from artfs.workspace.registration import register_store

SECRET = "hunter2Z9qSecret"


def _kept(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@step
def fetch(url: str, api_key: str, max_tokens: int = 5) -> int:
    if not api_key.endswith("Secret"):
        raise ValueError("the step got what is shown")
    raise ConnectionError(f"cannot open {url}")


@pipeline
def fetching(url: str, api_key: str) -> None:
    fetch(url, api_key)


def test_parameters_and_tracebacks_are_kept_without_secrets(home: Path) -> None:
    with pytest.raises(ConnectionError):
        fetching(f"https://me:{SECRET}@host/x", SECRET)
    (run,) = Client().list_pipeline_runs()
    ran = run.steps["fetch"]
    assert ran.row.parameters == {"url": "https://***@host/x", "api_key": "***", "max_tokens": 5}
    assert "cannot open https://***@host/x" in (ran.row.error or "")
    assert _kept(home) == []


@pytest.mark.parametrize("uri", [f"s3://KEY:{SECRET}@bucket/x", f"https://host/x?sig={SECRET}"])
def test_a_uri_with_a_secret_is_not_registered(home: Path, uri: str) -> None:
    with pytest.raises(InvalidValue, match="a secret in it would be kept") as raised:
        register_artifact(uri, "data")
    assert SECRET not in str(raised.value)
    assert not home.exists() or _kept(home) == []


class Shelf(LocalStore):
    """A store with options of its own."""

    flavor = "shelf-with-options"
    SUPPORTED_SCHEMES: ClassVar[set[str]] = {"/", "s3://"}
    OPTIONS: ClassVar[frozenset[str]] = frozenset(("endpoint", "secret_access_key"))


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (f"s3://K:{SECRET}@b/x", {}),
        ("/x", {"secret_access_key": SECRET}),
        ("/x", {"endpoint": f"https://me:{SECRET}@host"}),
    ],
)
def test_a_store_with_a_secret_is_not_registered(home: Path, path: str, options: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match=r"would be kept in the catalog|the catalog would keep") as raised:
        register_store(current_workspace(), "r", "shelf-with-options", path, options)
    assert SECRET not in str(raised.value)
    assert _kept(home) == []
