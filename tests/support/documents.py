"""What the code of all documents needs to run as it stands there."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from support import document_002

Document = Callable[..., ModuleType]
"""Makes a module of pieces of a document."""

PRELUDE = """
import numpy as np
import pandas as pd
import sklearn.linear_model
from sklearn.linear_model import LinearRegression
from typing import Annotated, Tuple
from artfs import ArtifactConfig, pipeline, step
"""

SIMPLE = document_002.CREATE + document_002.CONSUME
"""The pipeline with two steps that document 002 begins with."""
