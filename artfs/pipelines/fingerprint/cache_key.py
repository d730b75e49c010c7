"""The cache key of a step: everything that its outputs depend on, part by part, so that a miss can be explained."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from artfs.artifacts.scan import scan
from artfs.catalog.versions import Version
from artfs.classes import qualified_name
from artfs.content.digest import Digest, hash_file, tagged
from artfs.errors import SourceNotFound
from artfs.lineage.explain import Parts
from artfs.pipelines.define.composition import Invocation
from artfs.pipelines.define.config import CachePolicy
from artfs.pipelines.define.plan import OutputPlan
from artfs.pipelines.fingerprint.code import Code, plain_text
from artfs.pipelines.fingerprint.types_used import by_class

_OF_NO_MATTER = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "PWD", "TMPDIR", "HOSTNAME"),
        *("RANK", "LOCAL_RANK", "WORLD_SIZE", "CUDA_VISIBLE_DEVICES"),
    }
)
_OF_NO_MATTER_BEGIN = ("MASTER_", "SLURM_")
"""Variables that say where a step runs, not what it makes. Whoever needs one names it in the cache policy."""


@dataclass(frozen=True)
class CacheKey:
    """A step's key and what it is made of. is_followed: as of `Code`."""

    digest: Digest
    parts: Parts
    is_followed: bool = True


def cache_key(
    invocation: Invocation,
    code: Code,
    inputs: Mapping[str, Sequence[Version]],
    outputs: Sequence[OutputPlan],
    policy: CachePolicy,
    secret: bytes,
) -> CacheKey:
    """The key of one call of a step. Inputs count by their content's digest: never by names, ids or places.

    code: what `code_of` says of the step and of its outputs' materializers.
    secret: 32 bytes that nobody else has, so that values of variables cannot be guessed from their digests.
    """
    parts: dict[str, Digest] = {}
    for name, value in invocation.recorded.items():
        parts[f"parameter:{name}"] = tagged(b"parameter", json.dumps(value).encode())
    for slot, versions in inputs.items():
        parts[f"input:{slot}"] = _input(versions, isinstance(invocation.sources[slot], tuple))
    for output in outputs:
        parts[f"output:{output.slot}"] = _output(output, invocation.step.function.__module__)
    for path in policy.files:
        parts[f"file:{path}"] = _file(Path(path))
    for name in {*policy.environment, *(code.variables - _OF_NO_MATTER if policy.code else ())}:
        if not name.startswith(_OF_NO_MATTER_BEGIN) or name in policy.environment:
            parts[f"environment:{name}"] = _variable(name, secret)
    pieces = (piece for name, digest in sorted(parts.items()) for piece in (name.encode(), digest))
    key = tagged(b"cache key", invocation.step.name.encode(), *pieces)
    if policy.code:
        key = tagged(b"cache key", key, code.digest)
        parts.update((f"code:{name}", digest) for name, digest in code.parts.items())
    shown = {name: digest.hex() for name, digest in sorted(parts.items())}
    return CacheKey(key, shown, code.is_followed or not policy.code)


def _input(versions: Sequence[Version], as_list: bool) -> Digest:
    # Equal bytes may be another value when something else reads them: the text "5" and the number 5.
    values = ((each.digest, by_class(each.materializer or ""), by_class(each.data_type or "")) for each in versions)
    domain = b"list input" if as_list else b"input"
    return tagged(domain, *(part if isinstance(part, bytes) else part.encode() for value in values for part in value))


def _output(output: OutputPlan, module: str) -> Digest:
    materializer = output.materializer
    chosen = materializer if isinstance(materializer, str) else qualified_name(materializer) if materializer else ""
    chosen = by_class(chosen)
    # What a version is to carry counts too: without it the version of an earlier run would be given out instead.
    config = (output.version, list(output.tags), dict(output.metadata), output.artifact_type)
    return tagged(
        b"output",
        output.artifact.encode(),
        chosen.encode(),
        plain_text(output.annotation, module),
        plain_text(config, module),
    )


def _variable(name: str, secret: bytes) -> Digest:
    value = os.environ.get(name)
    text = b"unset" if value is None else b"=" + value.encode("utf-8", "surrogateescape")
    key = tagged(b"variable's key", secret)
    return Digest(blake3(tagged(b"environment", text), key=key).digest())


def _file(path: Path) -> Digest:
    if path.is_dir():
        return scan(path.absolute()).tree.digest
    try:
        return hash_file(path).digest
    except FileNotFoundError:
        raise SourceNotFound(f"the cache policy names {path}, but nothing is there", subject=path) from None
