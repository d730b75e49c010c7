"""A class is imported where this home's own saves named it, and not because a catalog or a file says so."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from artfs.home.known_classes import KnownClasses
from artfs.sharing import OWNER
from support.installed import install
from support.marked_module import write_marked
from support.mount import ARTFS
from support.tampering import tamper

In = Callable[..., subprocess.CompletedProcess[str]]

LOAD = "from artfs import load_artifact; load_artifact('x')"


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder on the path of other processes: `good` is what the user saves, `evil` what somebody else names."""
    write_marked(tmp_path / "modules", "good")
    write_marked(tmp_path / "modules", "evil")
    return tmp_path / "modules"


@pytest.fixture
def python(modules: Path, home: Path) -> In:
    """Runs code in a process of its own, from which both modules can be imported."""

    def run(code: str, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(modules)}
        arguments = command or (sys.executable, "-c", code)
        return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60)

    return run


def _names(home: Path) -> list[str]:
    names: list[str] = tomllib.loads((home / "classes.toml").read_text())["classes"]
    return names


SAVES = {
    "materializer": ("good.Thing('text')", ["good.Keeper", "good.Thing"]),
    "dataclass": ("good.Outer()", ["good.Inner", "good.Level", "good.Outer"]),
    "in a container": ("{'a': [good.Outer()], 'b': good.Thing('t')}", ["good.Inner", "good.Keeper", "good.Level"]),
    "factory": ("__import__('collections').defaultdict(good.zero, a=1)", ["good.zero"]),
}


@pytest.mark.parametrize("case", SAVES)
def test_what_was_saved_loads_in_a_process_that_has_imported_nothing(python: In, home: Path, case: str) -> None:
    value, names = SAVES[case]
    saved = python(f"import good; from artfs import save_artifact; save_artifact({value}, 'x')")
    assert saved.returncode == 0, saved.stderr
    assert set(names) <= set(_names(home))
    assert (home / "classes.toml").stat().st_mode & 0o777 == 0o600
    loaded = python(LOAD)
    assert loaded.returncode == 0, loaded.stderr


@pytest.mark.parametrize("case", SAVES)
def test_a_home_that_began_before_the_file_learns_what_it_has_saved(python: In, home: Path, case: str) -> None:
    value, names = SAVES[case]
    python(f"import good; from artfs import save_artifact; save_artifact({value}, 'x')")
    (home / "classes.toml").unlink()
    loaded = python(LOAD)
    assert loaded.returncode == 0, loaded.stderr
    assert set(names) <= set(_names(home))


TAMPERED = {
    "materializer": ("good.Thing('text')", "UPDATE version SET materializer = 'evil.Keeper'"),
    "type": ("good.Thing('text')", "UPDATE version SET data_type = 'evil.Thing'"),
    "store": ("good.Thing('text')", """UPDATE store SET flavor = 'custom', options = '{"class": "evil:Shelf"}'"""),
}
COMMANDS = (
    "verify --all",
    "gc --dry-run",
    "artifact download x/1 out",
    "artifact list",
    "artifact version describe x",
    "artifact version visualize x --no-browser",
    "artifact-store list",
    "doctor",
)


@pytest.mark.parametrize("case", TAMPERED)
def test_nothing_imports_a_class_that_a_row_names(
    python: In, home: Path, modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)  # where something is downloaded to
    value, sql = TAMPERED[case]
    python(f"import good; from artfs import save_artifact; save_artifact({value}, 'x')")
    tamper(home, sql)
    loaded = python(LOAD)
    assert loaded.returncode == 1
    last = loaded.stderr.splitlines()[-1]
    assert last.startswith("artfs.errors.UntrustedClass: evil.") and "trust" in last
    for command in COMMANDS:
        python("", ARTFS, *command.split())
    assert not (modules / "evil.imported").exists()


def test_a_class_in_the_content_is_not_imported_unless_the_home_knows_it(python: In, home: Path, modules: Path) -> None:
    python("import evil; from artfs import save_artifact; save_artifact([evil.Outer()], 'x')")
    (modules / "evil.imported").unlink()
    text = (home / "classes.toml").read_text()
    (home / "classes.toml").write_text("\n".join(line for line in text.splitlines() if "evil" not in line))
    loaded = python(LOAD)
    assert "UntrustedClass: evil." in loaded.stderr
    assert not (modules / "evil.imported").exists()


def test_no_function_is_taken_for_a_factory_because_it_is_imported(python: In, home: Path) -> None:
    code = (
        "import artfs, good; from collections import defaultdict; artfs.save_artifact(defaultdict(good.zero, a=1), 'x')"
    )
    python(code)
    for name in ("os.system", "posix.system", "artfs.home.home.os.system"):
        decoded = python(
            "from artfs.classes import importing_only\n"
            "from artfs.materializers.json.decode import decode\n"
            "from artfs.home.known_classes import KnownClasses; from artfs.sharing import OWNER\n"
            "from pathlib import Path; import os, artfs.home.home\n"
            f"with importing_only(KnownClasses(Path({str(home / 'classes.toml')!r}), OWNER).allows):\n"
            f"    decode({json.dumps({'$defaultdict': [name, {}]}).encode()!r}, None, None, trusted=True)"
        )
        assert "UntrustedClass" in decoded.stderr


def test_trust_in_words_imports_it(python: In, home: Path, modules: Path) -> None:
    python("import good; from artfs import save_artifact; save_artifact(good.Thing('text'), 'x')")
    tamper(home, "UPDATE version SET materializer = 'evil.Keeper', data_type = 'evil.Thing'")
    loaded = python("from artfs import load_artifact; print(load_artifact('x', trust=True).text)")
    assert loaded.stdout == "text\n"
    assert (modules / "evil.imported").exists()


def test_the_command_line_trusts_the_class_of_a_store_in_words(python: In, home: Path, modules: Path) -> None:
    python("import good; from artfs import save_artifact; save_artifact('text', 'x')")
    tamper(home, TAMPERED["store"][1])
    refused = python("", ARTFS, "verify", "--all")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("artfs: evil.Shelf is not imported")
    assert "artfs --trust evil.Shelf" in refused.stderr
    trusted = python("", ARTFS, "--trust", "evil:Shelf", "verify", "--all")
    assert trusted.returncode == 0, trusted.stderr


def test_a_store_class_that_was_registered_here_is_imported(python: In, home: Path, tmp_path: Path) -> None:
    register = ("artifact-store", "register", "r", "-f", "custom", "--path", str(tmp_path / "r"))
    python("", ARTFS, "init")
    registered = python("", ARTFS, *register, "--option", "class=good:Shelf")
    assert registered.returncode == 0, registered.stderr
    assert _names(home) == ["good.Shelf"]
    described = python("", ARTFS, "artifact-store", "describe", "r")
    assert described.returncode == 0, described.stderr


def test_an_installed_package_may_be_imported_for_what_it_announces(python: In, home: Path, modules: Path) -> None:
    python("import good; from artfs import save_artifact; save_artifact(good.Thing('text'), 'x')")
    source = (modules / "evil.py").read_text()
    install(modules, "installed", {"things.py": source}, "[artfs.materializers]\nx.y = installed.things:Keeper\n")
    tamper(home, "UPDATE version SET materializer = 'installed.things.Keeper'")
    loaded = python(LOAD)
    assert loaded.returncode == 0, loaded.stderr


def test_saves_of_what_is_known_leave_the_file_alone(python: In, home: Path) -> None:
    python("import artfs; artfs.save_artifact({'a': 1, 'b': [1.5, None]}, 'x')")
    assert _names(home) == []
    before = (home / "classes.toml").stat()
    python("import artfs, good; artfs.save_artifact({'a': 2}, 'x'); artfs.load_artifact('x')")
    assert (home / "classes.toml").stat().st_ino == before.st_ino


def test_processes_that_save_at_once_lose_no_class(home: Path, python: In, modules: Path) -> None:
    for number in range(6):
        write_marked(modules, f"own{number}")
    python("import artfs; artfs.save_artifact(1, 'first')")
    code = (
        "import sys, artfs, importlib; m = importlib.import_module(sys.argv[1]); artfs.save_artifact(m.Thing('t'), 'x')"
    )
    environment = {**os.environ, "PYTHONPATH": str(modules)}
    processes = [subprocess.Popen([sys.executable, "-c", code, f"own{number}"], env=environment) for number in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    assert {f"own{number}.Thing" for number in range(6)} <= set(_names(home))


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_home_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("artfs.home.known_classes.atomic_write", refuse)
    known = KnownClasses(tmp_path / "classes.toml", OWNER)
    known.begin(lambda: ["some.Class"])
    assert known.allows("some.Class") and not known.allows("other.Class")
    with pytest.raises(OSError, match="cannot write"):
        known.add(["new.Class"])


def test_a_file_that_is_not_understood_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "classes.toml"
    for text in ("classes = [", "classes = 3\n", "classes = [1]\n"):
        path.write_text(text)
        with pytest.raises(OSError, match=r"cannot read .*classes\.toml: .*correct the file"):
            KnownClasses(path, OWNER).allows("some.Class")
