"""A program that saves checkpoints with a real library, and says on its output which are finished.

    real_writer.py torch PATH SAVES          torch.save, over and over; one more save fails in the middle
    real_writer.py safetensors PATH SAVES    the same with safetensors, where no save fails
    real_writer.py trainer PATH SAVES        a training with transformers' Trainer, which keeps two checkpoints

In save number 3 all weights are 3. Between two saves it waits for a line on its input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

WEIGHTS = 2_000_000


def save_with_torch(path: Path, saves: int) -> None:
    import torch

    for number in range(1, saves + 1):
        torch.save({"w": torch.full((WEIGHTS,), float(number))}, path)
        _say(number)
    torch.save({"w": torch.full((WEIGHTS,), -1.0), "cannot be pickled": lambda: None}, path)


def save_with_safetensors(path: Path, saves: int) -> None:
    import torch
    from safetensors.torch import save_file

    for number in range(1, saves + 1):
        save_file({"w": torch.full((WEIGHTS,), float(number))}, path)
        _say(number)


def train(path: Path, saves: int) -> None:
    """Each step is a save."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1000))

        def forward(self, x: Any = None, labels: Any = None) -> dict[str, Any]:
            return {"loss": (self.weight.sum() - labels.float().mean()) ** 2}

    class Saying(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            _say(state.global_step)

    arguments = TrainingArguments(
        output_dir=str(path),
        max_steps=saves,
        save_steps=1,
        save_total_limit=2,
        per_device_train_batch_size=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    data = [{"x": torch.tensor([float(number)]), "labels": torch.tensor([1.0])} for number in range(saves)]
    Trainer(model=Model(), args=arguments, train_dataset=data, callbacks=[Saying()]).train()


def _say(number: int) -> None:
    os.write(1, f"{number}\n".encode())
    sys.stdin.readline()


if __name__ == "__main__":
    what, target, count = sys.argv[1:]
    {"torch": save_with_torch, "safetensors": save_with_safetensors, "trainer": train}[what](Path(target), int(count))
