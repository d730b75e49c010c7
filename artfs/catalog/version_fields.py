"""What versions can be filtered and sorted by."""

from __future__ import annotations

from artfs.catalog.filters import Field, Fields, MetadataField
from artfs.catalog.schema.columns import LEADING

_META_OF = "m.version_id = v.id AND m.key = {key} AND m.newest = 1"
_META_RARE = "SELECT m.version_id FROM version_meta m WHERE m.key = {key} AND m.newest = 1 AND {condition}"


def _metadata_field(key: str) -> MetadataField:
    value = f"(SELECT m.{{}} FROM version_meta m WHERE {_META_OF.format(key=':sort_key')})"
    return MetadataField(
        key,
        text="m.text",
        number="m.number",
        time="m.time_us",
        type="m.type",
        each=f"EXISTS (SELECT 1 FROM version_meta m WHERE {_META_OF} AND {{condition}})",
        rare=_META_RARE,
        leading=lambda text: f"SUBSTR({text}, 1, {LEADING})",
        order=(value.format("number"), value.format("text")),
    )


FIELDS = Fields(
    named={
        "id": Field("v.uuid"),
        "name": Field("v.name"),
        "version": Field("v.name"),
        "number": Field("v.number", "number"),
        "artifact": Field("a.name"),
        "state": Field("v.state"),
        "type": Field("v.type"),
        "save_type": Field("v.save_type"),
        "materializer": Field("v.materializer"),
        "data_type": Field("v.data_type"),
        "trusted": Field("v.trusted", "bool"),
        "digest": Field("v.digest", "bytes"),
        "files": Field("v.files", "number"),
        "bytes": Field("v.bytes", "number"),
        "created": Field("v.created_us", "time"),
        "user": Field("u.name", exists='v.user_id IN (SELECT u.id FROM "user" u WHERE {})', sort=""),
        "store": Field("s.name", exists="v.store_id IN (SELECT s.id FROM store s WHERE {})", sort=""),
        "run": Field(
            "r.name",
            exists="v.producer_id IN (SELECT p.id FROM step_run p JOIN run r ON r.id = p.run_id WHERE {})",
            sort="",
        ),
        "tag": Field(
            "g.name",
            exists="EXISTS (SELECT 1 FROM version_tag x JOIN tag g ON g.id = x.tag_id "
            "WHERE x.version_id = v.id AND {})",
            rare="SELECT x.version_id FROM version_tag x JOIN tag g ON g.id = x.tag_id WHERE {}",
            sort="",
            may_have_colons=True,
        ),
    },
    tiebreak="v.id",
    order=("v.created_us", "v.id"),
    prefixed={"metadata": _metadata_field},
)
