"""The one OpenAPI document, made of the routes: what each may answer, and how to say who asks.

FastAPI knows the paths and parameters; bodies are described beside the routes that read them.
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
# Any route may refuse, be refused by a stage, or say that it is not served.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "refused; nothing was done", "content": _ERRORS},
    "5XX": {"description": "could not be done", "content": _ERRORS},
}

SPOKEN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "speech",
        "content": {
            kind: {} for kind in [f.content_type for f in FORMATS.values()] + ["text/event-stream"]
        },
    },
    204: {"description": "cancelled before anything could be heard"},
}
WAV_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "a WAV file", "content": {"audio/wav": {}}},
    204: {"description": "cancelled before anything could be heard"},
}
WAV_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "events, each with a WAV file", "content": {"text/event-stream": {}}},
}
CANCELLED: dict[int | str, dict[str, Any]] = {
    202: {"description": "told, and not yet confirmed", "content": {"application/json": {}}},
}
SOCKETS = {
    "/v1/audio/speech/stream": "JSON messages; docs/websocket.md is the protocol",
}


def install(app: FastAPI) -> None:
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = made()
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].pop("422", None)  # FastAPI's own; never sent here
                good = operation["responses"].get("200", {}).get("content", {})
                if "application/json" in good:
                    good["application/json"]["schema"] = {"type": "object"}
                if len(good) > 1:  # FastAPI adds its default beside what the route says
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
