"""What runs can be filtered and sorted by."""

from __future__ import annotations

from artfs.catalog.filters import Field, Fields, MetadataField

_META_OF = "m.run_id = r.id AND m.step_run_id IS NULL AND m.key = {key} AND m.newest = 1"
_TIME_US = "(CASE WHEN m.type IN ('datetime', 'date') THEN CAST(ROUND(m.number * 1000000) AS BIGINT) END)"
"""Unlike versions, runs have no column for it: they are few."""


def _metadata_field(key: str) -> MetadataField:
    value = f"(SELECT m.{{}} FROM run_meta m WHERE {_META_OF.format(key=':sort_key')})"
    return MetadataField(
        key,
        text="m.text",
        number="m.number",
        time=_TIME_US,
        type="m.type",
        each=f"EXISTS (SELECT 1 FROM run_meta m WHERE {_META_OF} AND {{condition}})",
        rare="",
        leading=lambda text: text,
        order=(value.format("number"), value.format("text")),
    )


_STARTED = Field("r.started_us", "time")
_ENDED = Field("r.ended_us", "time")

FIELDS = Fields(
    named={
        "id": Field("r.uuid"),
        "name": Field("r.name"),
        "pipeline": Field("p.name"),
        "status": Field("r.status"),
        "kind": Field("r.kind"),
        "started": _STARTED,
        "ended": _ENDED,
        # As ZenML names them, and `created` as all other lists do.
        "created": _STARTED,
        "start_time": _STARTED,
        "end_time": _ENDED,
        "user": Field("u.name", exists='r.user_id IN (SELECT u.id FROM "user" u WHERE {})', sort=""),
        "tag": Field(
            "g.name",
            exists="EXISTS (SELECT 1 FROM run_tag x JOIN tag g ON g.id = x.tag_id WHERE x.run_id = r.id AND {})",
            sort="",
            may_have_colons=True,
        ),
    },
    tiebreak="r.id",
    order=("r.started_us", "r.id"),
    prefixed={"metadata": _metadata_field},
)
