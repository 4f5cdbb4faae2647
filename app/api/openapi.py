"""The OpenAPI document: the answers of every route, and the ways to send an API key.

FastAPI adds the paths and parameters. Bodies are described beside the routes that read them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from app.api.answers import BODIES
from app.audio.formats import FORMATS
from app.core import CancelAck, Health

_REFERENCE = "#/components/schemas/{model}"  # pydantic fills it in
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "additionalProperties": False,
            "properties": {
                "message": {"type": "string"},
                "type": {"enum": ["invalid_request_error", "server_error"]},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}


def json_body(schema: Mapping[str, object], *, is_required: bool = True) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads a JSON body."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": is_required, "content": content}}


def fields_of(required: Sequence[str], properties: Mapping[str, object]) -> dict[str, object]:
    """The schema of a JSON object."""
    return {"type": "object", "required": list(required), "properties": dict(properties)}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=name)}


_ERRORS = {"application/json": {"schema": _reference("Error")}}
Answers = dict[int | str, dict[str, Any]]  # by status
# Any route may answer with these.
REFUSALS: Answers = {
    "4XX": {"description": "the request was refused and nothing was done", "content": _ERRORS},
    "5XX": {"description": "the server could not do what was asked", "content": _ERRORS},
}

SPOKEN: Answers = {
    200: {
        "description": "speech",
        "content": {
            kind: {} for kind in [f.content_type for f in FORMATS.values()] + ["text/event-stream"]
        },
    },
    204: {"description": "the session was cancelled before its first sound"},
}
WAV_FILE: Answers = {
    200: {"description": "a WAV file", "content": {"audio/wav": {}}},
    204: {"description": "the session was cancelled before its first sound"},
}
WAV_PREVIEW: Answers = WAV_FILE | {
    206: {"description": "the part of the file that was asked for", "content": {"audio/wav": {}}},
    304: {"description": "the caller has the file already"},
}
WAV_EVENTS: Answers = {
    200: {
        "description": "server-sent events, each with a WAV file",
        "content": {"text/event-stream": {}},
    },
}


EVENTS: Answers = {
    200: {
        "description": "server-sent events, as the vendor has them",
        "content": {"text/event-stream": {}},
    },
    204: {"description": "the session was cancelled before its first sound"},
}


LINES: Answers = {
    200: {
        "description": "lines of JSON, as the vendor has them",
        "content": {"application/x-ndjson": {}},
    },
    204: {"description": "the session was cancelled before its first sound"},
}
_NO_SLASH: Answers = {307: {"description": "to the same path without a slash at its end"}}
PAGE: Answers = {
    200: {"description": "the document", "content": {"text/html": {}}},
    **_NO_SLASH,
}
PAGE_FILE: Answers = {
    200: {
        "description": "the file",
        "content": {
            kind: {} for kind in ("text/javascript", "text/css", "image/svg+xml", "text/html")
        },
    },
    304: {"description": "the caller has the file already"},
    **_NO_SLASH,
}
_CAPTIONS_HEADERS = {
    "X-Words-Estimated": {
        "description": "whether a time was spread by the length of the text",
        "schema": {"enum": ["true", "false"]},
    }
}


def _captions(content_type: str) -> Answers:
    content = {content_type: {"schema": {"type": "string"}}}
    return {200: {"description": "captions", "headers": _CAPTIONS_HEADERS, "content": content}}


CAPTIONS_VTT = _captions("text/vtt")
CAPTIONS_SRT = _captions("application/x-subrip")


def answer(body: type) -> Answers:
    """200 with a JSON body of app.api.answers."""
    return _json(200, "done", _reference(body.__name__))


def _json(status: int, description: str, schema: Any) -> Answers:
    content = {"application/json": {"schema": schema}}
    return {status: {"description": description, "content": content}}


CANCELLED = answer(CancelAck) | _json(
    202, "the cancel is on its way, and not confirmed yet", _reference("CancelAck")
)
HEALTH = answer(Health) | _json(
    503, "no session can begin", {"anyOf": [_reference("Health"), _reference("Error")]}
)
NOT_SERVED = _json(501, "not served", _reference("Error"))
SOCKETS = {
    "/v1/audio/speech/stream": "JSON messages; docs/websocket.md describes the protocol",
}


class _BodySchemas(GenerateJsonSchema):
    """Every field is in every answer, but for those with `exclude_if`."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return "serialization_exclude_if" not in field

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas() -> dict[str, Any]:
    """The JSON schemas of all bodies of answers, by name."""
    adapters: list[tuple[type, JsonSchemaMode, TypeAdapter[Any]]] = [
        (body, "serialization", TypeAdapter(body)) for body in BODIES
    ]
    _, told = TypeAdapter.json_schemas(
        adapters, ref_template=_REFERENCE, schema_generator=_BodySchemas
    )
    found: dict[str, Any] = told["$defs"]
    return found


def _correct(responses: dict[str, Any]) -> None:
    """Takes away what FastAPI adds: a 422, which this interface never sends, and a guess of the
    JSON's type."""
    responses.pop("422", None)
    for content in (told.get("content", {}) for told in responses.values()):
        if len(content) > 1:
            content.pop("application/json", None)
        elif "application/json" in content:
            content["application/json"]["schema"].pop("type", None)


def install(app: FastAPI, sockets: Mapping[str, str]) -> None:
    """`sockets`: those of the dialects, by path."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = made()
        for methods in schema["paths"].values():
            for operation in methods.values():
                _correct(operation["responses"])
        components = schema.setdefault("components", {})
        components["schemas"] = {"Error": ERROR} | schemas()
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        schema["security"] = [{"bearer": []}, {"header": []}, {}]
        schema["x-websockets"] = {**SOCKETS, **sockets}
        return schema

    app.openapi = document  # type: ignore[method-assign]
