"""How things are written for people: on terminals, in logs and in notebooks."""

from __future__ import annotations
