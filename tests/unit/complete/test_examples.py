"""What the docstrings of the rule show is what happens."""

from __future__ import annotations

import doctest

import pytest

from artfs_mount.incoming.complete import markers, names, ranks, rule

MODULES = {module.__name__.rpartition(".")[2]: module for module in (markers, names, ranks, rule)}


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    result = doctest.testmod(MODULES[module])
    assert result.attempted > 0
    assert result.failed == 0
