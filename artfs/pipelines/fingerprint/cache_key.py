"""The cache key of a step: everything that its outputs depend on, part by part, so that a miss can be explained."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from artfs.artifacts.scan import scan
from artfs.catalog.versions import Version
from artfs.classes import qualified_name
from artfs.content.digest import Digest, hash_file, tagged
from artfs.errors import SourceNotFound
from artfs.lineage.explain import Parts
from artfs.pipelines.define.composition import Invocation
from artfs.pipelines.define.config import CachePolicy
from artfs.pipelines.define.plan import OutputPlan
from artfs.pipelines.fingerprint.code import plain_text


@dataclass(frozen=True)
class CacheKey:
    """A step's key and what it is made of."""

    digest: Digest
    parts: Parts


def cache_key(
    invocation: Invocation,
    code: Mapping[str, Digest],
    inputs: Mapping[str, Sequence[Version]],
    outputs: Sequence[OutputPlan],
    policy: CachePolicy,
) -> CacheKey:
    """The key of one call of a step. Inputs count by their content's digest: never by names, ids or places.

    code: what `code_parts` says of the step and of its outputs' materializers.
    """
    parts: dict[str, Digest] = {}
    if policy.code:
        parts.update((f"code:{name}", digest) for name, digest in code.items())
    for name, value in invocation.recorded.items():
        parts[f"parameter:{name}"] = tagged(b"parameter", json.dumps(value).encode())
    for slot, versions in inputs.items():
        parts[f"input:{slot}"] = _input(versions, isinstance(invocation.sources[slot], tuple))
    for output in outputs:
        parts[f"output:{output.slot}"] = _output(output)
    for path in policy.files:
        parts[f"file:{path}"] = _file(Path(path))
    for name in policy.environment:
        parts[f"environment:{name}"] = tagged(
            b"environment", os.environ.get(name, "").encode("utf-8", "surrogateescape")
        )
    pieces = (piece for name, digest in sorted(parts.items()) for piece in (name.encode(), digest))
    key = tagged(b"cache key", invocation.step.name.encode(), *pieces)
    return CacheKey(key, {name: digest.hex() for name, digest in sorted(parts.items())})


def _input(versions: Sequence[Version], as_list: bool) -> Digest:
    # Equal bytes may be another value when something else reads them: the text "5" and the number 5.
    values = ((version.digest, version.materializer or "", version.data_type or "") for version in versions)
    domain = b"list input" if as_list else b"input"
    return tagged(domain, *(part if isinstance(part, bytes) else part.encode() for value in values for part in value))


def _output(output: OutputPlan) -> Digest:
    materializer = output.materializer
    chosen = materializer if isinstance(materializer, str) else qualified_name(materializer) if materializer else ""
    # What a version is to carry counts too: without it the version of an earlier run would be given out instead.
    config = (output.version, list(output.tags), dict(output.metadata), output.artifact_type)
    return tagged(
        b"output", output.artifact.encode(), chosen.encode(), plain_text(output.annotation), plain_text(config)
    )


def _file(path: Path) -> Digest:
    if path.is_dir():
        return scan(path.absolute()).tree.digest
    try:
        return hash_file(path).digest
    except FileNotFoundError:
        raise SourceNotFound(f"the cache policy names {path}, but nothing is there", subject=path) from None
