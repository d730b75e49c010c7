"""Files that a framework writes last, into the directory that they say is complete, or that name what is complete."""

from __future__ import annotations

MARKERS = frozenset(
    {
        b".metadata",  # torch.distributed.checkpoint
        b"_SUCCESS",  # Spark, Hadoop
        b"checkpoint",  # TensorFlow: names the newest one
        b"commit_success.txt",  # Orbax
        b"dataset_info.json",  # Hugging Face datasets
        b"fingerprint.pb",  # TensorFlow SavedModel
        b"latest",  # DeepSpeed: names the newest one
        b"latest_checkpointed_iteration.txt",  # Megatron: names the newest one
        b"saved_model.pb",  # TensorFlow SavedModel, before it had fingerprints
        b"trainer_state.json",  # Hugging Face Trainer
    }
)


def is_marker(path: bytes) -> bool:
    """Whether a path in a draft is the one of a marker."""
    return path.rpartition(b"/")[2] in MARKERS
