"""What a step is seen to use while it runs, and whether that is still as it was."""

from __future__ import annotations
