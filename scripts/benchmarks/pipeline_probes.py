"""The timed scripts of `scripts/bench pipelines`; `{library}` stands for artfs or ZenML, which share their names.

What a script prints is JSON lines of subject, measure and figure.
"""

from __future__ import annotations

STEPS = """
import json, sys, time
from {library} import pipeline, step

def say(measure, figure):
    print(json.dumps(["{library}", measure, figure]), flush=True)

@step
def make() -> int:
    return 1

@step
def add(x: int) -> int:
    return x + 1

@step
def double(x: int) -> int:
    return 2 * x

@pipeline
def trivial():
    double(add(make()))
"""

WARM = (
    STEPS
    + """
if __name__ == "__main__":
    trivial()
    uncached = trivial.with_options(enable_cache=False)
    uncached()
    for _ in range({turns}):
        for measure, run in (("warm_run", uncached), ("warm_cached", trivial)):
            start = time.perf_counter()
            run()
            say(measure, (time.perf_counter() - start) * 1e3)
"""
)

SCRIPT = (
    STEPS
    + """
if __name__ == "__main__":
    trivial.with_options(enable_cache=sys.argv[1] == "cached")()
"""
)

MANY = (
    STEPS
    + """
COUNT = {count}

@pipeline
def chain():
    x = make()
    for _ in range(COUNT - 1):
        x = add(x)

@pipeline
def wide():
    for number in range(COUNT):
        add(number)

if __name__ == "__main__":
    trivial()
    for measure, run in (("chain", chain), ("wide", wide)):
        for suffix, cached in (("_cached", True), ("", False)):
            each = run.with_options(enable_cache=cached)
            if cached:
                each()
            start = time.perf_counter()
            each()
            say(measure + suffix, (time.perf_counter() - start) * 1e3 / COUNT)
"""
)

LISTING = """
import json, os, subprocess, sys, time
from pathlib import Path
from artfs import save_artifact
from artfs.workspace.current import current_workspace

STEPS = INPUTS = {listed}

catalog = current_workspace().catalog
versions = [save_artifact(number, name="input %d" % number).row for number in range(INPUTS)]
with catalog.transaction():
    run = catalog.runs.create("large", "run")
    for step in range(STEPS):
        row = catalog.steps.create(run.id, "step_%03d" % step)
        for position, version in enumerate(versions):
            catalog.steps.add_input(row.id, "data_%03d" % position, version.id)
        catalog.steps.finish(row.id, "completed")
    catalog.runs.finish(run.id, "completed")
mount = Path(sys.argv[1])
artfs = Path(sys.executable).with_name("artfs")
mount.mkdir()

def listed(directory):
    with os.scandir(directory) as entries:
        found = list(entries)
    return len(found) + sum(listed(entry.path) for entry in found if entry.is_dir(follow_symlinks=False))

for _ in range({turns}):
    subprocess.run([artfs, "mount", mount], check=True, stdout=subprocess.DEVNULL)
    try:
        for measure in ("listing_cold", "listing"):
            start = time.perf_counter()
            steps = mount / "runs/large/run/steps"
            count = sum(listed(steps / name / "inputs") for name in os.listdir(steps))
            print(json.dumps(["artfs", measure, (time.perf_counter() - start) * 1e3]), flush=True)
            assert count == STEPS * INPUTS, count
    finally:
        subprocess.run([artfs, "umount", mount], check=True, stdout=subprocess.DEVNULL)
"""
