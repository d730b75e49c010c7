"""What was made from what: graphs of versions and step runs, and their drawings and exports."""

from __future__ import annotations
