"""How frameworks write folders."""

from __future__ import annotations

from collections.abc import Mapping

from support.patterns import (
    PROBE,
    REST_SECONDS,
    Pattern,
    Save,
    done,
    move_from_elsewhere,
    pattern,
    remove,
    rest,
    safetensors,
    until_version,
    write,
    write_and_rename,
)
from support.replay import Step
from support.samples import NUMBERS

TRAINER_FILES = {
    "config.json": "json",
    "model.safetensors": "safetensors",
    "training_args.bin": "torch",
    "optimizer.pt": "torch",
    "scheduler.pt": "torch",
    "rng_state.pth": "torch",
    "trainer_state.json": "trainer_state",
}
"""Of a checkpoint of Hugging Face's Trainer, in the order in which it writes them: families of contents by name."""
DISTRIBUTED_FILES = {"__0_0.distcp": "distcp", "__1_0.distcp": "distcp", ".metadata": "distcp_metadata"}
DATASET_FILES = {
    "data-00000-of-00002.arrow": "arrow_stream",
    "data-00001-of-00002.arrow": "arrow_stream",
    "state.json": "dataset_state",
    "dataset_info.json": "json",
}
SAVED_MODEL_FILES = {
    "variables/variables.data-00000-of-00001": "opaque",
    "variables/variables.index": "opaque",
    "saved_model.pb": "opaque",
    "fingerprint.pb": "opaque",
}


def folder_patterns() -> list[Pattern]:
    """All of them."""
    return [
        _distributed(),
        _distributed_again(),
        _two_ranks(),
        trainer("trainer", log=False),
        trainer("trainer_with_log", log=True),
        _older_trainer(),
        _lightning_best_and_link(),
        _lightning_last(),
        _deepspeed(),
        _sharded(),
        _unsharded(),
        _accelerate(),
        _saved_model(),
        _checkpoint_manager(),
        _orbax("orbax", "@/1", "@/1.orbax-checkpoint-tmp", ""),
        _orbax("orbax_in_the_root", "@", "@.orbax-checkpoint-tmp", None),
        _dataset(),
    ]


def save_of(name: str, files: Mapping[str, str], number: int, folder: str = "") -> Save:
    """A save of files of these families, in a folder of the draft."""
    return Save(name, {f"{folder}{path}": f"{family}-{number}" for path, family in files.items()})


def content(number: int) -> int:
    """The number of the contents that a save of any number has."""
    return (number - 1) % len(NUMBERS) + 1


def _distributed() -> Pattern:
    files = {name: family for name, family in DISTRIBUTED_FILES.items() if name != "__1_0.distcp"}
    save = save_of("save", files, 1)
    return pattern("dcp", [("mkdir", "@"), *_rank(0, 1), *_metadata(1), done(save)], [save], signal="marker")


def _distributed_again() -> Pattern:
    """Into the same folder, in place."""
    files = {name: family for name, family in DISTRIBUTED_FILES.items() if name != "__1_0.distcp"}
    first, second = save_of("first", files, 1), save_of("second", files, 2)
    steps = [("mkdir", "@"), *_rank(0, 1), *_metadata(1), done(first), until_version(1), PROBE]
    steps += [*_rank(0, 2), ("unlink", "@/.metadata"), *_metadata(2), done(second)]
    return pattern("dcp_again", steps, [first, second], signal="marker")


def _two_ranks() -> Pattern:
    save = save_of("save", DISTRIBUTED_FILES, 1)
    steps: list[Step] = [
        ("mkdir", "@"),
        ("fork", "rank 1", [("sleep", 0.2), *_rank(1, 1)]),
        *_rank(0, 1),
        ("join", "rank 1"),
        *_metadata(1),
        done(save),
    ]
    return pattern("dcp_two_ranks", steps, [save], signal="marker")


def _rank(rank: int, number: int) -> list[Step]:
    opened, *written, closed = write(f"@/__{rank}_0.distcp", f"distcp-{number}")
    return [opened, *written, ("fsync", "f"), closed]


def _metadata(number: int) -> list[Step]:
    return write_and_rename("@/.metadata", "@/.metadata.tmp", f"distcp_metadata-{number}")


def trainer(name: str, *, log: bool, count: int = 3, seconds: float = REST_SECONDS) -> Pattern:
    """So many saves, and seconds between them; two are kept. What is tried is the last, with the removal of another."""
    saves = [save_of(f"checkpoint-{n}", TRAINER_FILES, content(n), f"checkpoint-{n}/") for n in range(1, count + 1)]
    stream = "runs/events.out.tfevents.1.host"
    steps: list[Step] = [("mkdir", "@")]
    if log:
        steps += [("mkdir", "@/runs"), ("open", "log", f"@/{stream}", "a")]
    for number, save in enumerate(saves, 1):
        if number == count:
            steps.append(PROBE)
        steps += _trainer_files(f"@/checkpoint-{number}", content(number))
        steps.append(done(save))
        if log:
            steps.append(("write", "log", "tfevents", number - 1, 2 * count))
        if number > 2:
            steps += remove(f"@/checkpoint-{number - 2}", list(TRAINER_FILES))
        steps.append(("sleep", seconds))
    streams = {stream: "tfevents"} if log else {}
    return pattern(name, steps, saves, signal="marker", streams=streams, every=3 if log else 1)


def _trainer_files(folder: str, number: int) -> list[Step]:
    steps: list[Step] = [("mkdir", folder)]
    for name, family in TRAINER_FILES.items():
        content = f"{family}-{number}"
        if family == "safetensors":
            steps += safetensors(f"{folder}/{name}", content, f"{folder}/.tmp?")
        else:
            steps += write(f"{folder}/{name}", content, pieces=1)
    return steps


def _older_trainer() -> Pattern:
    """Under a temporary folder's name, which is renamed."""
    saves = [save_of(f"checkpoint-{n}", TRAINER_FILES, n, f"checkpoint-{n}/") for n in (1, 2)]
    steps: list[Step] = [("mkdir", "@")]
    for number, save in enumerate(saves, 1):
        if number == 2:
            steps.append(PROBE)
        temporary, final = f"@/tmp-checkpoint-{number}", f"@/checkpoint-{number}"
        steps += [*_trainer_files(temporary, number), ("rename", temporary, final), done(save)]
        if number > 1:
            steps += remove(f"@/checkpoint-{number - 1}", list(TRAINER_FILES))
        steps.append(rest())
    return pattern("trainer_renamed", steps, saves, signal="rename", every=2)


def _lightning_best_and_link() -> Pattern:
    """The best one, and a link to the last; what it drops goes before the link turns to the new one."""
    saves = [save_of(f"epoch={n}", {f"epoch={n}.ckpt": "torch"}, n) for n in (1, 2, 3)]
    steps: list[Step] = [("mkdir", "@")]
    for number, save in enumerate(saves, 1):
        if number == 3:
            steps.append(PROBE)
        steps += [*move_from_elsewhere(f"@/epoch={number}.ckpt", f"torch-{number}"), done(save)]
        if number > 1:
            steps += [("unlink", f"@/epoch={number - 1}.ckpt"), ("unlink", "@/last.ckpt")]
        steps += [("symlink", f"epoch={number}.ckpt", "@/last.ckpt"), rest()]
    return pattern("lightning_best_and_link", steps, saves, signal="footer")


def _lightning_last() -> Pattern:
    """The best one, and a copy of the last; what it drops goes after the new one is there."""
    saves: list[Save] = []
    steps: list[Step] = [("mkdir", "@")]
    for number in (1, 2):
        if number == 2:
            steps.append(PROBE)
        for name in (f"epoch={number}.ckpt", "last.ckpt"):
            save = save_of(f"{name} of {number}", {name: "torch"}, number)
            steps += [*move_from_elsewhere(f"@/{name}", f"torch-{number}"), done(save)]
            saves.append(save)
        if number > 1:
            steps.append(("unlink", f"@/epoch={number - 1}.ckpt"))
        steps.append(("sleep", 3.0))
    return pattern("lightning_last", steps, saves, signal="footer", every=2)


def _deepspeed() -> Pattern:
    names = {"mp_rank_00_model_states.pt": "torch", "zero_pp_rank_0_mp_rank_00_optim_states.pt": "torch"}
    saves = [save_of(f"step {n}", names, n, f"global_step{n}/") for n in (1, 2)]
    steps: list[Step] = [("mkdir", "@")]
    for number, save in enumerate(saves, 1):
        if number == 2:
            steps.append(PROBE)
        steps.append(("mkdir", f"@/global_step{number}"))
        for name in names:
            steps += write(f"@/global_step{number}/{name}", f"torch-{number}")
        steps += [*write("@/latest", f"deepspeed_latest-{number}", pieces=1), done(save), rest()]
    latest = {f"deepspeed_latest-{number}": save.name for number, save in enumerate(saves, 1)}
    return pattern("deepspeed", steps, saves, signal="pointer", pointers={"latest": latest})


def _sharded() -> Pattern:
    """save_pretrained of a model in two shards: their index is the last."""
    shards = [f"model-0000{shard}-of-00002.safetensors" for shard in (1, 2)]
    files = {"config.json": "json", **dict.fromkeys(shards, "safetensors"), "model.safetensors.index.json": "index"}
    save = save_of("save", files, 1)
    steps = [("mkdir", "@"), *write("@/config.json", "json-1", pieces=1)]
    for shard in shards:
        steps += safetensors(f"@/{shard}", "safetensors-1", "@/.tmp?")
    steps += [*write("@/model.safetensors.index.json", "index-1"), done(save)]
    return pattern("save_pretrained_sharded", steps, [save], signal="numbered set")


def _unsharded() -> Pattern:
    names = {"config.json": "json", "generation_config.json": "json", "model.safetensors": "safetensors"}
    save = save_of("save", {**names, "tokenizer.json": "json"}, 1)
    steps: list[Step] = [("mkdir", "@")]
    for name in ("config.json", "generation_config.json"):
        steps += write(f"@/{name}", "json-1", pieces=1)
    steps += safetensors("@/model.safetensors", "safetensors-1", "@/.tmp?")
    steps += [*write("@/tokenizer.json", "json-1"), done(save)]
    return pattern("save_pretrained", steps, [save], signal=None)


def _accelerate() -> Pattern:
    """Keeps two; the oldest goes before the new one is begun, and nothing says when that is complete."""
    names = {"model.safetensors": "safetensors", "optimizer.bin": "torch", "random_states_0.pkl": "pickle"}
    saves = [save_of(f"checkpoint_{n}", names, n, f"checkpoint_{n}/") for n in (1, 2, 3)]
    steps: list[Step] = [("mkdir", "@")]
    for number, save in enumerate(saves, 1):
        folder = f"@/checkpoint_{number}"
        if number == 3:
            steps += [PROBE, *remove("@/checkpoint_1", list(names))]
        steps += [
            ("mkdir", folder),
            *safetensors(f"{folder}/model.safetensors", f"safetensors-{number}", f"{folder}/.tmp?"),
        ]
        steps += write(f"{folder}/optimizer.bin", f"torch-{number}")
        steps += [*write(f"{folder}/random_states_0.pkl", f"pickle-{number}"), done(save), rest()]
    return pattern("accelerate", steps, saves, signal=None)


def _saved_model() -> Pattern:
    save = save_of("save", SAVED_MODEL_FILES, 1)
    parts, data = "@/variables/variables_temp", "@/variables/variables.data-00000-of-00001"
    steps: list[Step] = [("mkdir", "@"), ("mkdir", "@/variables"), ("mkdir", parts)]
    steps += write_and_rename(
        f"{parts}/part-00000-of-00001.data-00000-of-00001", f"{parts}/part-0.tempstate7", "opaque-1"
    )
    steps += [("rename", f"{parts}/part-00000-of-00001.data-00000-of-00001", data), ("rmdir", parts)]
    steps += write("@/variables/variables.index", "opaque-1")
    for name in ("saved_model.pb", "fingerprint.pb"):
        steps += write_and_rename(f"@/{name}", f"@/{name}.tmp1f2e3d4c5b6a7988", "opaque-1")
    older = save_of("as before fingerprints", {n: f for n, f in SAVED_MODEL_FILES.items() if n != "fingerprint.pb"}, 1)
    return pattern("saved_model", [*steps, done(save)], [save], signal="marker", loads_too=[older])


def _checkpoint_manager() -> Pattern:
    """TensorFlow's: keeps one; `checkpoint` is written before and after the old one goes."""
    saves = [
        save_of(f"ckpt-{n}", {f"ckpt-{n}.data-00000-of-00001": "opaque", f"ckpt-{n}.index": "opaque"}, n)
        for n in (1, 2)
    ]
    steps: list[Step] = [("mkdir", "@")]
    for number, save in enumerate(saves, 1):
        if number == 2:
            steps.append(PROBE)
        parts, content = f"@/ckpt-{number}_temp", f"opaque-{number}"
        name = write_and_rename("@/checkpoint", "@/checkpoint.tmp1f2e3d4c5b6a7988", f"tf_checkpoint-{number}")
        steps += [("mkdir", parts), *write(f"{parts}/part-00000-of-00001", content)]
        steps += [("rename", f"{parts}/part-00000-of-00001", f"@/ckpt-{number}.data-00000-of-00001"), ("rmdir", parts)]
        steps += [*write(f"@/ckpt-{number}.index", content), *name, done(save)]
        if number > 1:
            steps += [("unlink", f"@/ckpt-{number - 1}.{part}") for part in ("index", "data-00000-of-00001")]
        steps += [*name, rest()]
    pointers = {f"tf_checkpoint-{number}": save.name for number, save in enumerate(saves, 1)}
    pointed = {"checkpoint": pointers}
    indexes = {f"ckpt-{number}.data-00000-of-00001": f"ckpt-{number}.index" for number in (1, 2)}
    return pattern("checkpoint_manager", steps, saves, signal="pointer", pointers=pointed, looked_for=indexes)


def _orbax(name: str, final: str, temporary: str, draft: str | None) -> Pattern:
    """A folder under a temporary name, and in it an item under one; draft: whether there is a folder around it."""
    files = {
        "default/d/ab12": "opaque",
        "default/manifest.ocdbt": "opaque",
        "default/commit_success.txt": "name",
        "_CHECKPOINT_METADATA": "json",
        "commit_success.txt": "name",
    }
    save = save_of("save", files, 1, "" if draft is None else "1/")
    item = f"{temporary}/default.orbax-checkpoint-tmp"
    steps: list[Step] = [] if draft is None else [("mkdir", "@")]
    steps += [("mkdir", temporary), ("mkdir", f"{item}/d"), *write(f"{item}/d/ab12", "opaque-1")]
    steps += [("open", "m", f"{item}/manifest.ocdbt.__lock", "w+"), ("flock", "m"), ("write", "m", "opaque-1", 0, 1)]
    steps += [("fsync", "m"), ("rename", f"{item}/manifest.ocdbt.__lock", f"{item}/manifest.ocdbt"), ("close", "m")]
    steps += [*write(f"{item}/commit_success.txt", "name-1", pieces=1), ("rename", item, f"{temporary}/default")]
    steps += write(f"{temporary}/_CHECKPOINT_METADATA", "json-1")
    steps += [*write(f"{temporary}/commit_success.txt", "name-1", pieces=1), ("rename", temporary, final), done(save)]
    return pattern(name, steps, [save], signal="rename")


def _dataset() -> Pattern:
    save = save_of("save", DATASET_FILES, 1)
    steps: list[Step] = [("mkdir", "@")]
    for name, family in DATASET_FILES.items():
        steps += write(f"@/{name}", f"{family}-1")
    return pattern("datasets", [*steps, done(save)], [save], signal="marker")
