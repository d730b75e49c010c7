"""A step's log has what its threads, its subprocesses and C code wrote, and the terminal has it too, in order."""

from __future__ import annotations

import ast
import signal
import textwrap
from pathlib import Path

import pytest

from support import programs

PROGRAM = """
import ctypes, logging, os, subprocess, sys, threading
from multiprocessing import get_context
from artfs import pipeline, step

@step(enable_cache=False)
def work() -> int:
{body}
    return 1

@step(enable_cache=False)
def other() -> int:
    return 1

@pipeline
def simple():
    {calls}

log = simple().steps["work"].logs
print("LOG", repr(log))
"""

THREAD = 't = threading.Thread(target=print, args=("one",)); t.start(); t.join()'
BODIES = {
    "a thread": THREAD,
    "a subprocess": 'subprocess.run(["echo", "one"])',
    "the errors of a subprocess": 'subprocess.run("echo one >&2", shell=True)',
    "a subprocess that is given the stream": 'subprocess.run(["echo", "one"], stdout=sys.stdout)',
    "a system call": 'os.write(1, b"one\\n")',
    "C code": 'ctypes.CDLL(None).puts(b"one"); ctypes.CDLL(None).fflush(None)',
    "bytes": 'sys.stdout.buffer.write(b"one\\n")',
    "the stream of before": 'print("one", file=sys.__stdout__)',
    "a process that was forked": 'p = get_context("fork").Process(target=print, args=("one",)); p.start(); p.join()',
    "the errors of a thread": 't = threading.Thread(target=lambda: print("one", file=sys.stderr)); t.start(); t.join()',
}


def log_of(folder: Path, body: str, calls: str = "work()") -> tuple[str, str]:
    """The log of the step `work`, and all that its program printed on its standard output before that."""
    source = textwrap.dedent(PROGRAM).format(body=textwrap.indent(textwrap.dedent(body), "    "), calls=calls)
    printed, _, log = programs.run(folder, source).rpartition("LOG ")
    return ast.literal_eval(log), printed


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_it_is_in_the_log_once(tmp_path: Path, body: str) -> None:
    assert log_of(tmp_path, body)[0] == "one\n"


def test_it_is_in_order_in_the_log_and_outside(tmp_path: Path) -> None:
    body = 'print("main")\n' + THREAD + '\nsubprocess.run(["echo", "two"])\nprint("three")\nos.write(1, b"four\\n")'
    log, printed = log_of(tmp_path, body)
    assert log == printed == "main\none\ntwo\nthree\nfour\n"


def test_steps_beside_each_other_have_it_all(tmp_path: Path) -> None:
    log, printed = log_of(tmp_path, 'print("mine"); subprocess.run(["echo", "ours"])', "work(); other()")
    assert sorted(log.split()) == sorted(printed.split()) == ["mine", "ours"]


def test_c_code_that_writes_a_lot_while_it_holds_the_interpreter_does_not_hang(tmp_path: Path) -> None:
    body = 'ctypes.PyDLL(None).write(1, b"x" * 1_000_000, 1_000_000)'
    log, printed = log_of(tmp_path, body)
    assert len(log) == len(printed) == 1_000_000


def test_a_record_is_logged_once_also_where_the_program_prints_records(tmp_path: Path) -> None:
    body = "logging.warning('once')"
    assert log_of(tmp_path, "logging.basicConfig(force=True)\n" + body)[0].count("once") == 1


def test_what_comes_after_the_run_goes_where_it_went_before(tmp_path: Path) -> None:
    body = 'print("one")\nlogging.basicConfig(stream=sys.stdout, format="%(message)s", force=True)'
    source = textwrap.dedent(PROGRAM).format(body=textwrap.indent(body, "    "), calls="work()")
    after = 'sys.stdout.flush(); os.write(1, b"after\\n"); logging.warning("by a handler of the step")'
    printed = programs.run(tmp_path, source + after)
    assert printed == "one\nLOG 'one\\n'\nafter\nby a handler of the step\n"


def test_a_crash_is_told_where_it_can_be_seen(tmp_path: Path) -> None:
    source = textwrap.dedent(PROGRAM).format(body="    os.abort()", calls="work()")
    with programs.started(tmp_path, "import faulthandler; faulthandler.enable()\n" + source) as process:
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, "Aborted" in errors) == (-signal.SIGABRT, True)
