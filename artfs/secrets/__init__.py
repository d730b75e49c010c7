"""Secrets in text that is kept or logged: which words are secrets, and how they are left out."""

from __future__ import annotations
