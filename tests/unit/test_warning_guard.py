"""The guard that fails tests on unexpected warnings does so."""

from __future__ import annotations

import logging
import socket

import pytest

from support.warning_guard import ExpectedWarnings

LOG = """\
2026-01-02 03:04:05,678 INFO artfs_mount.daemon: mounted
2026-01-02 03:04:05,679 ERROR artfs_mount.status: read failed
Traceback (most recent call last):
  File "x.py", line 1, in read
OSError: no more
2026-01-02 03:04:06,000 WARNING artfs_mount.status: disk is full
2026-01-02 03:04:07,000 INFO artfs_mount: unmounted
"""


def test_entries_of_a_log_keep_their_tracebacks() -> None:
    [error, warning] = ExpectedWarnings().unexpected_in_log(LOG)
    assert error.startswith("2026-01-02 03:04:05,679 ERROR") and error.endswith("OSError: no more")
    assert warning.endswith("disk is full")


def test_expected_entries_are_allowed() -> None:
    expected = ExpectedWarnings(["disk is full"])
    assert len(expected.unexpected_in_log(LOG)) == 1
    expected("no more")
    assert expected.unexpected_in_log(LOG) == []


def test_a_crash_outside_the_log_format_is_found() -> None:
    assert len(ExpectedWarnings().unexpected_in_log("Fatal Python error: Segmentation fault\n")) == 1


@pytest.mark.expected_warnings("^WARNING root: that was coming$")
def test_the_marker_allows_a_warning() -> None:
    logging.warning("that was coming")


@pytest.mark.expected_warnings("boom")
def test_an_unexpected_warning_fails_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import logging\ndef test_that_logs(): logging.getLogger('x').warning('boom')")
    result = pytester.runpytest("-p", "support.warning_guard", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*unexpected log records:*", "WARNING x: boom"])


def test_only_loopback_is_reached() -> None:
    with socket.socket() as outside, pytest.raises(RuntimeError, match=r"192\.0\.2\.1: tests reach only loopback"):
        outside.connect(("192.0.2.1", 80))
