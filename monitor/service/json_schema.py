"""The JSON Schema of the whole configuration, including the keys of adapters."""

from __future__ import annotations

from typing import Any

from monitor.adapters import registry
from monitor.config.config import Config, Section


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the whole configuration, including the keys of adapters."""
    schema = Config.model_json_schema()
    target = schema["$defs"]["Target"]["properties"]
    for port in ("retriever", "answerer", "judge"):
        target[port] = {"oneOf": [_variant(port, kind, schema["$defs"]) for kind in registry.names(port)]}
    notifiers = [_variant("notifier", kind, schema["$defs"]) for kind in registry.names("notifier")]
    schema["properties"]["notifiers"]["additionalProperties"] = {"oneOf": notifiers}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _variant(port: str, kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    options: type[Section] = registry.find(port, kind, where=port).Options
    schema = options.model_json_schema()
    schema["properties"] = {"kind": {"const": kind}, **schema.get("properties", {})}
    schema["required"] = ["kind", *schema.get("required", [])]
    definitions.update(schema.pop("$defs", {}))
    return schema
