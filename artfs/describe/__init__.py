"""One dictionary a thing: the same keys and types in `--json`, in the files of a mount and in notebooks.

Keys are words with underscores, times ISO 8601 in UTC, sizes bytes; what is not known is None. What describes many
things asks the catalog once for all of them.
"""

from __future__ import annotations
