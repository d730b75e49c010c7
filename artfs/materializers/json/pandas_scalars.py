"""The JSON form of pandas' single values: Timestamp, Timedelta, Period, Interval, NaT and NA.

`{"$pandas": [class, parts...]}`: times as whole numbers of their own unit, intervals with their bounds as values.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

from artfs.materializers.instances.fields import NotInline


def to_parts(value: Any) -> list[Any]:
    """Return the name of the value's class, and what it is made of.

    Raises:
        NotInline: it has an offset that pandas cannot find by name.
    """
    import pandas as pd

    if value is pd.NaT or value is pd.NA:
        return ["NaT" if value is pd.NaT else "NA"]
    if isinstance(value, pd.Timestamp):
        integer = value.tz_convert(None).asm8.view("i8") if value.tz is not None else value.asm8.view("i8")
        return ["Timestamp", int(integer), value.unit, zone_to_form(value.tz)]
    if isinstance(value, pd.Timedelta):
        return ["Timedelta", int(value.asm8.view("i8")), value.unit]
    if isinstance(value, pd.Interval):
        return ["Interval", value.left, value.right, value.closed]
    if pd.Period(ordinal=value.ordinal, freq=value.freqstr) != value:
        raise NotInline
    return ["Period", value.ordinal, value.freqstr]


def from_parts(parts: list[Any]) -> Any:
    """Return the value."""
    import numpy as np
    import pandas as pd

    kind, *rest = parts
    if kind == "Timestamp":
        integer, unit, zone = rest
        stamp = pd.Timestamp(np.datetime64(integer, unit))
        return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(zone_from_form(zone))
    if kind == "Timedelta":
        integer, unit = rest
        return pd.Timedelta(np.timedelta64(integer, unit))
    if kind == "Interval":
        left, right, closed = rest
        return pd.Interval(left, right, closed=closed)
    if kind == "Period":
        ordinal, freq = rest
        return pd.Period(ordinal=ordinal, freq=freq)
    return {"NaT": pd.NaT, "NA": pd.NA}[kind]


def zone_to_form(zone: Any) -> Any:
    """Return a time zone, or of one of pytz, which pandas used up to release 2, what it can be found by."""
    if type(zone).__module__.partition(".")[0] != "pytz":
        return zone
    name = getattr(zone, "zone", None)
    return {"pytz": name} if name is not None else {"pytz_minutes": zone.utcoffset(None) // timedelta(minutes=1)}


def zone_from_form(form: Any) -> Any:
    """Return the time zone that `zone_to_form` got."""
    if not isinstance(form, dict):
        return form
    pytz: Any = import_module("pytz")
    return pytz.timezone(form["pytz"]) if "pytz" in form else pytz.FixedOffset(form["pytz_minutes"])
