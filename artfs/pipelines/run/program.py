"""A program as a child that hardly notices it: signals reach it, what it prints is kept too, its status is passed on.

On a terminal it stays in the group of whoever called, which the terminal speaks to: Ctrl-C and Ctrl-Z reach both.
Elsewhere it leads a group of its own, and what is sent to this process is sent to that group.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import IO, Any

from artfs.errors import ProgramRefused, SourceNotFound

PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
)
OF_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)
"""What a terminal sends to all of its foreground group."""
STOPPING = (signal.SIGTSTP, signal.SIGCONT)
_PR_SET_PDEATHSIG = 1


def run_program(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> int:
    """Runs a program to its end, and returns its status as a shell tells it: 128 + number for a signal.

    What it prints goes where this process prints, and to the log. It gets SIGTERM when this process is killed.

    Raises:
        SourceNotFound: there is no such program.
        ProgramRefused: it cannot be run.
    """
    shares_group = any(map(_is_terminal, range(3)))
    with _Relay(shares_group) as relay:
        process = _started(command, environment, process_group=None if shares_group else 0)
        relay.begin(process.pid)
        assert process.stdout is not None and process.stderr is not None
        copiers = [
            threading.Thread(target=_copy, args=(source, target, log))
            for source, target in ((process.stdout, 1), (process.stderr, 2))
        ]
        for copier in copiers:
            copier.start()
        status = process.wait()
        for copier in copiers:
            copier.join()
    return status if status >= 0 else 128 - status


class _Relay:
    """Passes signals on to a child, also those that come before it is there. Works in the main thread, else not."""

    def __init__(self, shares_group: bool) -> None:
        self._shares_group = shares_group
        self._child: int | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Relay:
        if threading.current_thread() is threading.main_thread():
            for number in (*PASSED_ON, *(() if self._shares_group else STOPPING)):
                if signal.getsignal(number) is not signal.SIG_IGN:  # which the child has from us
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def begin(self, child: int) -> None:
        """Says whom signals are for."""
        self._child = child
        for number in self._early:
            self._pass_on(child, number)

    def _heard(self, number: int, _: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        elif not (self._shares_group and number in OF_THE_TERMINAL):
            self._pass_on(self._child, number)
            if number == signal.SIGTSTP:
                os.kill(os.getpid(), signal.SIGSTOP)

    def _pass_on(self, child: int, number: int) -> None:
        with suppress(ProcessLookupError):
            (os.kill if self._shares_group else os.killpg)(child, number)


def _started(
    command: Sequence[str], environment: Mapping[str, str], process_group: int | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=process_group,
            preexec_fn=_ends_with(os.getpid()),
        )
    except FileNotFoundError as error:
        if shutil.which(command[0]) is None:
            raise SourceNotFound(f"{command[0]}: there is no such program", subject=command[0]) from None
        raise ProgramRefused(f"{command[0]}: its interpreter is not there", subject=command[0]) from error
    except OSError as error:
        raise ProgramRefused(f"{command[0]}: it cannot be run: {error.strerror}", subject=command[0]) from error


def _ends_with(parent: int) -> Callable[[], None]:
    """What a child does at first, so that it is told when its parent is killed. Nothing is loaded after the fork."""
    control = ctypes.CDLL(None).prctl

    def ask() -> None:
        control(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def _copy(source: IO[bytes], target: int, log: IO[bytes]) -> None:
    """Copies what a program prints until it ends, or nobody wants it any more: then it is told so, as without us."""
    with source:
        while part := os.read(source.fileno(), 65_536):
            with suppress(OSError):  # a full disk is no reason for the program to fail
                log.write(part)
            try:
                _write_all(target, part)
            except OSError:
                return


def _write_all(target: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.write(target, memoryview(data)[written:])


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
