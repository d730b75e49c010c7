"""The same as `artfs.io.io_utils`, under the name that it has in ZenML."""

from __future__ import annotations

from artfs.io.io_utils import *  # noqa: F403 - all that it exports
from artfs.io.io_utils import __all__ as __all__
