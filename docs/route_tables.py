"""Every route of the OpenAPI document and every body of an answer, as Markdown."""

import json
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import create_autospec

from tables import table_of

from app.api.app import create_app
from app.api.realtime.parts import RealtimeParts
from app.config import Limits
from app.conversation.echo import Echo
from app.hearing.ears import Hearing
from app.synthesizer import Synthesizer

NO_SCHEMAS: Mapping[str, Any] = {}


def document() -> dict[str, Any]:
    """The OpenAPI document, with the versions of libraries left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        realtime = RealtimeParts(create_autospec(Hearing, instance=True), Echo())
        synthesizer = create_autospec(Synthesizer, instance=True)
        return create_app(synthesizer, Limits(), realtime=realtime).openapi()


_GROUPS = (
    ("Conversation", ("/v1/realtime",)),
    ("Speech", ("/v1/audio/speech", "/cancel", "/v1/sessions", "/v1/admin")),
    ("Voices and pronunciations", ("/v1/audio/voices", "/v1/voices", "/v1/audio/pronunciations")),
    ("Models and health", ("/v1/models", "/v1/audio/models", "/health", "/openapi.json", "/")),
    ("Routes of a desktop app", ("/api/",)),
    (
        "Other vendors' protocols",
        ("/tts/", "/v1/text-to-speech", "/v1/speak", "/vapi", "/jambonz"),
    ),
)


def routes() -> str:
    told = document()
    paths: dict[str, Any] = told["paths"]
    grouped: dict[str, list[str]] = {title: [] for title, _ in _GROUPS}
    bodies: dict[str, str] = {}  # the route of each table of fields that is written already
    for path, methods in paths.items():
        for method, operation in methods.items():
            grouped[_group_of(path)].append(_route(method, path, operation, bodies))
    for path, description in told["x-websockets"].items():
        grouped[_group_of(path)].append(f"#### `WS {path}`\n\n{description}.")
    grouped["Bodies of answers"] = list(_bodies(told["components"]["schemas"]))
    return "\n\n".join(
        f"### {title}\n\n" + "\n\n".join(parts) for title, parts in grouped.items() if parts
    )


def _bodies(schemas: Mapping[str, Any]) -> Iterator[str]:
    """Those of JSON answers. The body of an error is described by hand."""
    for name, schema in schemas.items():
        if "properties" in schema and name != "Error":
            required = schema.get("required", ())
            rows = [
                (
                    f"`{field}`" + ("" if field in required else " (not always)"),
                    _type_of(described, schemas),
                    _range_of(described, schemas),
                    described.get("description", ""),
                )
                for field, described in schema["properties"].items()
            ]
            told = table_of(("field", "type", "allowed", "meaning"), rows)
            yield "\n\n".join(filter(None, (f"#### `{name}`", schema.get("description"), told)))


def _group_of(path: str) -> str:
    fitting = [
        (len(start), title)
        for title, starts in _GROUPS
        for start in starts
        if path.startswith(start)
    ]
    return max(fitting)[1]


def _route(method: str, path: str, operation: Mapping[str, Any], bodies: dict[str, str]) -> str:
    name = f"{method.upper()} {path}"
    parts = [f"#### `{name}`", operation.get("description", "")]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        table = _fields_table(content["schema"])
        first = bodies.setdefault(table, name)
        parts.append(f"Body: `{kind}`" + (f", the fields of `{first}`." if first != name else ""))
        parts += [table] if first == name else []
    parts.append("Answers: " + "; ".join(_answers(operation["responses"])) + ".")
    return "\n\n".join(filter(None, parts))


def _answers(responses: Mapping[str, Any]) -> Iterator[str]:
    """Those that are no errors, which are the same for every route."""
    for status, answer in responses.items():
        if status not in ("4XX", "5XX"):
            kinds = ", ".join(_content(*each) for each in answer.get("content", {}).items())
            yield f"{status} {answer['description']}" + (f" ({kinds})" if kinds else "")


def _content(kind: str, content: Mapping[str, Any]) -> str:
    """The content type, and the name of a JSON body."""
    schema = content.get("schema", {})
    names = [_name_of(each) for each in schema.get("anyOf", (schema,)) if "$ref" in each]
    return f"`{kind}`" + (f": `{'` or `'.join(names)}`" if names else "")


def _name_of(reference: Mapping[str, Any]) -> str:
    path: str = reference["$ref"]
    return path.rpartition("/")[2]


def _fields_table(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = []
    for name, field in sorted(
        schema["properties"].items(), key=lambda item: item[0] not in required
    ):
        described = _merged(field)
        rows.append(
            (
                f"`{name}`" + (" (required)" if name in required else ""),
                _type_of(described),
                _range_of(described),
                described.get("description", ""),
            )
        )
    return table_of(("field", "type", "allowed", "meaning"), rows)


def _merged(field: Mapping[str, Any]) -> dict[str, Any]:
    """A field that may be null as the field that it is otherwise."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        return {**kinds[0], **{k: v for k, v in field.items() if k != "anyOf"}}
    nested = [inner for kind in kinds for inner in kind.get("anyOf", (kind,))]
    return {**field, "anyOf": nested} if nested else dict(field)


def _type_of(field: Mapping[str, Any], schemas: Mapping[str, Any] = NO_SCHEMAS) -> str:
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type_of(kind, schemas) for kind in field["anyOf"]))
    if "$ref" in field:
        name = _name_of(field)
        return f"`{name}`" if "properties" in schemas[name] else _type_of(schemas[name])
    kind: str = field.get("type", "")
    if field.get("format") == "binary":
        return "file"
    for part in ("items", "additionalProperties"):
        if isinstance(field.get(part), Mapping):
            inner = _type_of(field[part], schemas)
            return f"{kind} of {inner}" + ("" if inner.startswith("`") else "s")
    return kind


def _range_of(field: Mapping[str, Any], schemas: Mapping[str, Any] = NO_SCHEMAS) -> str:
    if "propertyNames" in field:
        return f"keys: {_range_of(field['propertyNames'], schemas)}"
    if "anyOf" in field:
        return ", ".join(filter(None, (_range_of(kind, schemas) for kind in field["anyOf"])))
    if "$ref" in field:
        return _range_of(schemas[_name_of(field)])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`".replace('"', "")
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    names = (
        ("minimum", "{} or more"),
        ("exclusiveMinimum", "more than {}"),
        ("maximum", "at most {}"),
        ("exclusiveMaximum", "less than {}"),
        ("maxLength", "at most {} characters"),
        ("maxItems", "at most {}"),
    )
    return ", ".join(told.format(_number(field[name])) for name, told in names if name in field)


def _number(value: float) -> str:
    """8000.0 as 8000, and 2**63 as such."""
    if value >= 2**53:
        return f"2^{round(math.log2(value))}"
    return f"{value:g}" if value != int(value) else str(int(value))
