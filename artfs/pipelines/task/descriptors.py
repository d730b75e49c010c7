"""What is written to the descriptors 1 and 2 by whoever: subprocesses and C code, which know nothing of `sys.stdout`.

The descriptors lead to files, which are read on from time to time: what is written goes to where they led before, and
to whoever listens. Not to pipes: C code that holds the interpreter would wait for ever for the thread that reads them,
and a program that is left in the background would be killed with its reader.
"""

from __future__ import annotations

import codecs
import faulthandler
import fcntl
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

READ_ON_SECONDS = 0.05
READ_BYTES = 1 << 16

Listen = Callable[[str], None]


class Descriptors:
    """The descriptors 1 and 2, led elsewhere from `begin` to `end`. listen: gets the text that is written to them."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self._lock = threading.RLock()
        self._led: dict[int, _Led] = {}
        self._is_led = threading.Event()
        self._process = 0

    def begin(self) -> None:
        """Leads elsewhere those that are open."""
        is_here, self._process = self._process == os.getpid(), os.getpid()
        _flush()
        for number in (1, 2):
            with suppress(OSError):  # it is closed, or there is no room for a file: then it stays as it is
                self._led[number] = _Led(number)
        self._tell_of_crashes(self.before(2))
        self._is_led.set()
        if not is_here:  # it is kept for the next time, as a start takes longer than all else
            threading.Thread(target=self._read_on, args=(self._process,), name="artfs-output", daemon=True).start()

    def end(self) -> None:
        """Leads them back."""
        self._is_led.clear()
        self.drain()
        with self._lock:
            for led in self._led.values():
                led.lead_back()
            self._led.clear()
        self._tell_of_crashes(2)

    def drain(self) -> None:
        """Passes on what has been written until now."""
        if os.getpid() != self._process:
            return  # a child that was forked has these files too, and they are its parent's to read
        _flush()
        self.pass_on()

    def pass_on(self) -> None:
        """Passes on what has come to the descriptors."""
        if os.getpid() != self._process:
            return
        with self._lock:
            for led in self._led.values():
                while text := led.read():
                    self._listen(text)

    def before(self, number: int) -> int | None:
        """A descriptor of where one of them led before."""
        led = self._led.get(number)
        return None if led is None else led.before

    def _tell_of_crashes(self, where: int | None) -> None:
        """Lets faulthandler, where the program has it, write where it can be seen: nobody reads on after a crash."""
        if where is not None and faulthandler.is_enabled():
            faulthandler.enable(where)

    def _read_on(self, process: int) -> None:
        while self._process == process:
            self._is_led.wait()
            self.pass_on()
            time.sleep(READ_ON_SECONDS)


class _Led:
    """A descriptor that leads to a file, and how far that was read."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._at = 0
        self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - as long as it is led there
        fcntl.fcntl(self._file, fcntl.F_SETFL, fcntl.fcntl(self._file, fcntl.F_GETFL) | os.O_APPEND)
        self.before = os.dup(number)
        os.dup2(self._file.fileno(), number)

    def read(self) -> str:
        """The next part that was written, which has been passed on."""
        data = os.pread(self._file.fileno(), READ_BYTES, self._at)
        self._at += len(data)
        with suppress(OSError):  # whoever wrote has no errors of a closed terminal either, and the log goes on
            written = 0
            while written < len(data):
                written += os.write(self.before, memoryview(data)[written:])
        text = self._decoder.decode(data)
        return text or ("" if not data else self.read())

    def lead_back(self) -> None:
        os.dup2(self.before, self._number)
        os.close(self.before)
        self._file.close()


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]
