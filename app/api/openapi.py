"""The OpenAPI document: the answers of every route, and the ways to send an API key.

FastAPI adds the paths and parameters. Bodies are described beside the routes that read them.
"""

from typing import Any

from fastapi import FastAPI

from app.audio.formats import FORMATS

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
_ERRORS = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
# Any route may answer with these.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "the request was refused and nothing was done", "content": _ERRORS},
    "5XX": {"description": "the server could not do what was asked", "content": _ERRORS},
}

SPOKEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "speech",
        "content": {
            kind: {} for kind in [f.content_type for f in FORMATS.values()] + ["text/event-stream"]
        },
    },
    204: {"description": "the session was cancelled before its first sound"},
}
WAV_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "a WAV file", "content": {"audio/wav": {}}},
    204: {"description": "the session was cancelled before its first sound"},
}
WAV_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "server-sent events, each with a WAV file",
        "content": {"text/event-stream": {}},
    },
}
CANCELLED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "the cancel is on its way, and not confirmed yet",
        "content": {"application/json": {}},
    },
}
SOCKETS = {
    "/v1/audio/speech/stream": "JSON messages; docs/websocket.md describes the protocol",
}


def install(app: FastAPI) -> None:
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = made()
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].pop(
                    "422", None
                )  # FastAPI adds it; this interface never sends it
                good = operation["responses"].get("200", {}).get("content", {})
                if "application/json" in good:
                    good["application/json"]["schema"] = {"type": "object"}
                if len(good) > 1:  # FastAPI adds its default to the route's own types
                    good.pop("application/json", None)
        components = schema.setdefault("components", {})
        components["schemas"] = {"Error": ERROR}
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        schema["security"] = [{"bearer": []}, {"header": []}, {}]
        schema["x-websockets"] = SOCKETS
        return schema

    app.openapi = document  # type: ignore[method-assign]
