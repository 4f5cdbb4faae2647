"""The OpenAPI document describes every route, and every answer conforms to it."""

import warnings

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from app.api.app import create_app
from app.config import Limits
from app.voices.library import VoiceLibrary
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import key
from tests.support.fakes import MULTILINGUAL, FakeSynthesizer
from tests.support.routes import routes
from tests.support.strict_schema import strict

pytestmark = pytest.mark.full  # seconds in all

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.specs.openapi import checks


def documented():
    return create_app(FakeSynthesizer(), Limits()).openapi()


def test_the_documented_routes_are_the_served_routes():
    paths = documented()["paths"]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert {(m, path.replace(":path", "")) for m, path in routes(APIRoute)} == told


def test_a_hidden_route_is_not_documented():
    app = create_app(FakeSynthesizer(), Limits())
    app.add_api_route("/hidden", lambda: None, include_in_schema=False)
    assert "/hidden" not in app.openapi()["paths"]


def test_every_socket_is_documented():
    assert {path for _, path in routes(APIWebSocketRoute)} == set(documented()["x-websockets"])


def test_every_body_and_every_refusal_is_documented():
    document = documented()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"4XX", "5XX"} <= set(operation["responses"]), (method, path)
            assert "422" not in operation["responses"]
    for path in ("/v1/audio/speech", "/v1/audio/voices", "/api/vox_speak_wav"):
        assert document["paths"][path]["post"]["requestBody"]["required"] is True
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}


def good_answers(document):
    """(route, schema) of every JSON answer that is no refusal."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if content is not None and status not in ("4XX", "5XX"):
                    yield f"{method} {path} {status}", content["schema"]


def test_every_json_answer_names_a_schema_of_the_document():
    document = documented()
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    answers = dict(good_answers(document))
    assert len(answers) > 20
    for route, schema in answers.items():
        references = {each.get("$ref") for each in schema.get("anyOf", [schema])}
        assert references <= known, route


ANSWERS = [
    ("/", "ServerName"),
    ("/health", "Health"),
    ("/v1/models", "ModelList"),
    ("/v1/models/multilingual", "Model"),
    ("/v1/audio/voices", "VoiceList"),
    ("/v1/sessions/told", "SessionReport"),
    ("/api/tts_is_speaking", "Speaking"),
]


def faults(document, name, body):
    """A field that the document does not know is one, and so is a missing one."""
    schema = strict(document) | {"$ref": f"#/components/schemas/{name}"}
    return [error.message for error in Draft202012Validator(schema).iter_errors(body)]


@pytest.mark.parametrize(("path", "name"), ANSWERS)
async def test_an_answer_has_the_documented_fields_and_no_other(path, name):
    headers = {"X-Request-ID": "told"}
    async with in_process(FakeSynthesizer(MULTILINGUAL)) as client:
        await client.post(
            "/v1/audio/speech", json=speech(model="multilingual", language="en"), headers=headers
        )
        body = (await client.get(path)).json()
    document = documented()
    assert faults(document, name, body) == []
    assert faults(document, name, body | {"more": 1}) != []
    for field in body:
        assert faults(document, name, {k: v for k, v in body.items() if k != field}) != [], field


HEADERS = {"X-API-Key": "everything"}
CALL_S = 60  # for one answer, on any machine
NOT_SERVED = r"/unload$|^/api/(vox_speak|tts_load_turbo|tts_unload|unload_tts)$"  # 501, always


CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def operations(tmp_path):
    library = VoiceLibrary(str(tmp_path / "library"))
    keys = [key("everything", "all", "red", ("speak", "voices", "admin"))]
    app = create_app(FakeSynthesizer(MULTILINGUAL), Limits(), library=library, keys=keys)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
    return [each.ok() for each in schema.exclude(path_regex=NOT_SERVED).get_all_operations()]


def test_every_answer_conforms_to_the_document(operations):
    statuses = set()
    for operation in operations:

        @settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answers(case):
            response = case.call(headers=HEADERS, timeout=CALL_S)
            statuses.add(response.status_code)
            case.validate_response(response, checks=CHECKS)

        answers()
    assert len(operations) > 15
    assert {200, 400, 404} <= statuses
