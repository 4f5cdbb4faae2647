"""A JSON schema that also refuses the keys that it does not name."""

from typing import Any


def strict(schema: Any) -> Any:
    """Refuses keys that an object's schema does not name, where the schema names any."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
