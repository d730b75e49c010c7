"""Saves small values and one large one, again and again, and tells each when it is saved."""

from __future__ import annotations

from artfs import save_artifact

LARGE_EVERY = 5


def value(number: int) -> dict[str, object]:
    """What is saved as version `number`."""
    return {"number": number, "text": f"{number} " * (20_000 if number % LARGE_EVERY == 0 else 20)}


if __name__ == "__main__":
    number = 0
    while True:
        number += 1
        save_artifact(value(number), "saved")
        print(number, flush=True)
