"""The global random generators: a step that draws from one which was seeded depends on where it stood.

One that nobody has seeded gives other numbers in each process, which is no reason to run a step again.
"""

from __future__ import annotations

import ast
import functools
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from artfs.content.digest import Digest, tagged
from artfs.pipelines.fingerprint.own import MAIN, is_own_file

_MOST_SEED = 2**48
"""torch chooses a seed of 64 bits where nobody gives one; people give smaller ones."""


def states() -> dict[str, Any]:
    """Where the generators stand that this process has, by name."""
    return {name: found for name, (state, _) in _GENERATORS.items() if (found := state()) is not None}


def drawn(before: Mapping[str, Any]) -> dict[str, Digest]:
    """The states in which seeded generators were before something was drawn from them, by name."""
    return {
        name: _digest(state)
        for name, state in before.items()
        if (now := _GENERATORS[name][0]()) is not None and not _equal(now, state) and _GENERATORS[name][1]()
    }


def is_at(name: str, digest: Digest) -> bool:
    """Whether a generator that was seeded stands where it stood."""
    if name not in _GENERATORS:
        return False
    state, seeded = _GENERATORS[name]
    now = state()
    return now is not None and _digest(now) == digest and seeded()


def _random() -> Any:
    return _asked("random", "getstate")


def _random_is_seeded() -> bool:
    """Whether own code that this process has loaded seeds it. Nothing in its state would tell."""
    return any(_seeds_in(source) for source in _own_sources())


def _numpy() -> Any:
    state = _asked("numpy.random.mtrand", "get_state")
    return None if state is None else _flat(state)


def _asked(module: str, function: str) -> Any:
    """What a function of a module says; None where that is not imported, or another thread is half-way through it."""
    found = getattr(sys.modules.get(module), function, None)
    return None if found is None else found()


def _flat(state: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part.tobytes() if hasattr(part, "tobytes") else part for part in state)


def _numpy_is_seeded() -> bool:
    generator = sys.modules["numpy.random.mtrand"]._rand._bit_generator
    return getattr(generator, "_seed_seq", None) is None  # numpy keeps what it has seeded itself with


def _torch() -> Any:
    state = _asked("torch", "get_rng_state")
    return None if state is None else bytes(state.tolist())


def _torch_is_seeded() -> bool:
    return 0 <= int(sys.modules["torch"].initial_seed()) < _MOST_SEED


_GENERATORS: Mapping[str, tuple[Callable[[], Any], Callable[[], bool]]] = {
    "random": (_random, _random_is_seeded),
    "numpy": (_numpy, _numpy_is_seeded),
    "torch": (_torch, _torch_is_seeded),
}


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other)


def _digest(state: Any) -> Digest:
    return tagged(b"generator", state if isinstance(state, bytes) else repr(state).encode())


def _own_sources() -> Iterator[str]:
    """The text of all own modules that are loaded, and of a notebook's cells."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file is not None and str(file).endswith((".py", ".ipy")) and is_own_file(file):
            yield "".join(linecache.getlines(file))
        elif file is None and name == MAIN:
            cells = getattr(module, "In", None)
            yield from (cell for cell in cells if isinstance(cell, str)) if isinstance(cells, list) else ()


@functools.lru_cache(maxsize=1024)
def _seeds_in(source: str) -> bool:
    """Whether a text calls `random.seed(...)`, or something of a library that seeds everything."""
    if "seed" not in source and "setstate" not in source:
        return False
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return True  # a cell with magic in it
    named = {"random"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named.update(each.asname for each in node.names if each.name == "random" and each.asname)
    return any(_seeds(node, named) for node in ast.walk(tree) if isinstance(node, ast.Call))


def _seeds(call: ast.Call, named: set[str]) -> bool:
    function = call.func
    if isinstance(function, ast.Attribute):
        if isinstance(function.value, ast.Name) and function.value.id in named:
            return function.attr in ("seed", "setstate") and bool(call.args or call.keywords)
        return function.attr in _OF_ALL
    return isinstance(function, ast.Name) and (function.id in _OF_ALL or (function.id == "seed" and bool(call.args)))


_OF_ALL = frozenset({"seed_everything", "set_seed", "set_all_seeds", "seed_all", "set_random_seed", "fix_seed"})
"""What libraries, and many projects, call the function that seeds all generators."""
