"""The JSON form of Python values: what is plain is written exactly, the rest beside it."""

from __future__ import annotations
