"""Where code written for ZenML looks for helpers; they are in `artfs.io`."""

from __future__ import annotations
