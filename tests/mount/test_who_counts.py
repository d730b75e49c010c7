"""Whose reads count for what a process writes: a missing edge is bad, a false one worse."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.mount import ARTFS, Mount
from support.programs import all_ended

PYTHON = sys.executable

Expected = Mapping[str, set[str]]


@pytest.fixture
def data(mounted: Mount) -> Mount:
    """A mount with the artifacts `a`, `b` and `c`."""
    for name in "abc":
        (mounted.incoming / name).write_text(f"content of {name}\n" * 10)
        mounted.commit(name)
    return mounted


def script(mount: Mount, folder: Path, text: str, *, shell: str = "bash", by: str = "file") -> None:
    """Runs a script in a session of its own, as a job is, and waits for what it made to be versions.

    In it $a, $b and $c are files of versions, $IN is `/incoming`; `make_from X OUT` is a program that reads X.
    """
    versions = {name: str(mount.artifacts / name / "1" / name) for name in "abc"}
    names = {**versions, "IN": str(mount.incoming), "ARTFS": str(ARTFS), "PYTHON": PYTHON, "M": str(mount.path)}
    program = folder / "make_from"
    program.write_text(
        f"#!{PYTHON}\nimport sys\nopen(sys.argv[2], 'w').write(sys.argv[2] + open(sys.argv[1]).read())\n"
    )
    program.chmod(0o755)
    path = folder / "job.sh"
    path.write_text(text)
    environment = {**mount.environment, **names, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": ""}
    command = [shell, str(path)] if by == "file" else [shell, "-c", text]
    subprocess.run(command, check=True, start_new_session=True, env=environment, cwd=folder, timeout=120)
    mount.sync()


def upstream(mount: Mount, artifact: str) -> set[str]:
    """What the first version of an artifact was made from, as the tree shows it."""
    return {name.partition("@")[0] for name in os.listdir(mount.path / "lineage" / artifact / "1" / "upstream")}


JOINED = {
    "a redirected output": "cat $a > $IN/out",
    "a redirected input": "sort < $a > $IN/out",
    "a pipe": "cat $a | gzip > $IN/out",
    "a pipe of many": "cat $a | sort | tr a b | gzip > $IN/out",
    "a pipe from a group": "(cat $a; true) | { cat; true; } > $IN/out",
    "a pipe of a slow program": "{ read x; cat $a; } < <(echo 1; sleep 0.3) | cat > $IN/out",
    "tee": "cat $a | tee $IN/out > /dev/null",
    "process substitution": "cat <(sort $a) > $IN/out",
    "a shell builtin after a command": "cat $a > /dev/null; echo done > $IN/out",
    "command substitution": 'x=$(cat $a); echo "$x" > $IN/out',
    "a read by the shell itself": "read x < $a; echo $x > $IN/out",
    "a subshell of a shell that has read": "read x < $a; (echo $x > $IN/out)",
    "a loop over a pipe": 'cat $a | while read x; do echo "$x"; done > $IN/out',
    "a group whose output is redirected": "{ cat $a; echo and more; } > $IN/out",
    "a descriptor that commands inherit": "exec 3> $IN/out; cat $a >&3; exec 3>&-",
    "appending": "make_from $a $IN/out; true",
    "a temporary name": "cat $a > $IN/.out.tmp; mv $IN/.out.tmp $IN/out",
}


@pytest.mark.parametrize("text", JOINED.values(), ids=JOINED.keys())
def test_what_counts(data: Mount, tmp_path: Path, text: str) -> None:
    script(data, tmp_path, text)
    assert upstream(data, "out") == {"a"}


NOT_JOINED = {
    "commands of a script": ("make_from $a $IN/x; make_from $b $IN/y", {"x": {"a"}, "y": {"b"}}),
    "commands that are side by side": ("make_from $a $IN/x & make_from $b $IN/y & wait", {"x": {"a"}, "y": {"b"}}),
    "a command after one that only read": ("cat $a > /dev/null; make_from $b $IN/y", {"y": {"b"}}),
    "commands after the shell has read": ("read x < $a; make_from $b $IN/y; cat $c > $IN/z", {"y": {"b"}, "z": {"c"}}),
    "a shared tee": ("{ make_from $a $IN/x; make_from $b $IN/y; } | tee log", {"x": {"a"}, "y": {"b"}}),
    "a shared error stream": ("{ make_from $a $IN/x; make_from $b $IN/y; } 2> >(cat)", {"x": {"a"}, "y": {"b"}}),
    "downstream of a pipe": ("make_from $b $IN/y | cat $a > /dev/null", {"y": {"b"}}),
    "a builtin's second draft": ("cat $a >/dev/null; echo 1 > $IN/x; echo 2 > $IN/y", {"x": {"a"}, "y": set()}),
    "what was read afterwards": ("echo 1 > $IN/x; cat $a > /dev/null; sleep 0.1", {"x": set()}),
    "another group": ("set -m; cat $a > /dev/null; echo 1 > $IN/x", {"x": set()}),
    "xargs": ("printf '%s\\n' \"$a $IN/x\" \"$b $IN/y\" | xargs -P 2 -L 1 make_from", {"x": {"a"}, "y": {"b"}}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NOT_JOINED.values(), ids=NOT_JOINED.keys())
def test_what_does_not_count(data: Mount, tmp_path: Path, text: str, expected: Expected) -> None:
    script(data, tmp_path, text)
    assert {name: upstream(data, name) for name in expected} == expected


def test_runs_of_a_script_are_one_and_those_of_a_command_line_are_named_after_each(data: Mount, tmp_path: Path) -> None:
    text = "make_from $a $IN/x; make_from $b $IN/y"
    script(data, tmp_path, text)
    assert os.listdir(data.path / "runs") == ["job.sh"]
    assert len(os.listdir(data.path / "runs/job.sh/latest/steps")) == 2
    script(data, tmp_path, "make_from $a $IN/u; sort < $b > $IN/v", by="command")
    assert set(os.listdir(data.path / "runs")) == {"job.sh", "make_from", "sort"}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
@pytest.mark.parametrize("jobserver", ["--jobserver-style=pipe", ""])
def test_recipes_of_make_are_not_joined(data: Mount, tmp_path: Path, jobserver: str) -> None:
    if subprocess.run(["make", "--version"], capture_output=True).stdout.split()[2] < b"4.4":
        jobserver = ""  # it has no other style than a pipe
    (tmp_path / "Makefile").write_text(
        "all: x y\nx:\n\t+make_from $(a) $(IN)/x\ny:\n\t+make_from $(b) $(IN)/y\n.PHONY: x y all\n"
    )
    script(data, tmp_path, f"make -j2 {jobserver} | tee log")
    assert (upstream(data, "x"), upstream(data, "y")) == ({"a"}, {"b"})


FORKED = """
import os, sys
a, out = sys.argv[1:]
held = open(a).read()
if os.fork() == 0:
    open(out, "w").write(held)
    os._exit(0)
os.wait()
"""
EXECUTED = """
import os, subprocess, sys
a, out = sys.argv[1:]
open(a).read()
subprocess.run(["sh", "-c", f"echo 1 > {out}"], check=True)
"""
POOL = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
a, out = sys.argv[1:]
def read(path):
    return open(path).read()
if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=get_context("{method}")) as pool:
        found = list(pool.map(read, [a]))
        {early}open(out, "w").writelines(found)
    {late}open(out, "w").writelines(found)
"""
KERNEL = """
# As a notebook's kernel runs `!command`: on a terminal of its own, and so in a session of its own.
import os, pty, sys
a, out = sys.argv[1:]
def command(line):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", line])
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        pass
    os.waitpid(pid, 0)
{steps}
"""
PIPED = """
import subprocess, sys
a, out = sys.argv[1:]
process = subprocess.Popen(["cat", a], stdout=subprocess.PIPE, start_new_session=True)
open(out, "wb").write(process.stdout.read())
process.wait()
"""
MAPPED = """
import mmap, sys
a, out = sys.argv[1:]
held = open(a).read()
with open(out, "w+b") as file:
    file.truncate(4096)
    with mmap.mmap(file.fileno(), 4096) as pages:
        pages[:5] = held[:5].encode()
"""
PROGRAMS: Mapping[str, tuple[str, set[str]]] = {
    "a process that it forked": (FORKED, {"a"}),
    "a program that it started": (EXECUTED, set()),
    "living workers, forked": (POOL.format(method="fork", early="", late="#"), {"a"}),
    "workers that have ended, forked": (POOL.format(method="fork", early="#", late=""), {"a"}),
    "living workers, spawned": (POOL.format(method="spawn", early="", late="#"), {"a"}),
    "workers that have ended, spawned": (POOL.format(method="spawn", early="#", late=""), {"a"}),
    "a program whose output it reads": (PIPED, {"a"}),
    "mapped pages": (MAPPED, {"a"}),
    "a notebook's command that writes": (KERNEL.format(steps="open(a).read()\ncommand(f'echo 1 > {out}')"), set()),
    "a notebook's command that reads": (KERNEL.format(steps="command(f'cat {a}')\nopen(out, 'w').write('1')"), set()),
}


@pytest.mark.parametrize(("program", "expected"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_programs(data: Mount, tmp_path: Path, program: str, expected: set[str]) -> None:
    (tmp_path / "program.py").write_text(program)
    script(data, tmp_path, "exec $PYTHON program.py $a $IN/out")
    assert upstream(data, "out") == expected


@pytest.mark.parametrize("inner", ["make_from $a $IN/x; make_from $b $IN/y", "cat $a $b | tee $IN/y > $IN/x"])
def test_exec_joins_all_in_its_run(data: Mount, tmp_path: Path, inner: str) -> None:
    script(data, tmp_path, f"exec $ARTFS exec --name job -- bash -c '{inner}; cat $c > /dev/null; echo 1 > $IN/z'")
    assert upstream(data, "z") == {"a", "b", "c"}
    assert upstream(data, "y") == {"a", "b"}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_daemon_without_a_view_of_a_program_records_nothing_of_it(data: Mount) -> None:
    """As of a sidecar in another PID namespace: all of its processes are number 0."""
    data.unmount()
    environment = {**data.environment, "PATH": os.environ["PATH"]}
    beside = f"{ARTFS} mount {data.path} > /dev/null && echo mounted && read end"
    command = ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", beside]
    pod = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    with all_ended(pod):
        assert pod.stdout is not None and pod.stdout.readline() == "mounted\n"
        for name, out in (("a", "x"), ("b", "y")):
            code = f"open('{data.incoming}/{out}', 'w').write(open('{data.artifacts}/{name}/1/{name}').read() + '!')"
            subprocess.run([PYTHON, "-c", code], check=True)
            subprocess.run([ARTFS, "commit", data.incoming / out], check=True, env=environment)
        assert (upstream(data, "x"), upstream(data, "y")) == (set(), set())
        subprocess.run(["umount", data.path], check=True)
