"""Which routes count in which room of the door."""

import pytest
from fastapi.routing import APIWebSocketRoute

from app.api.request_rooms import room_of
from app.auth.request_limiter import Room
from tests.support.routes import routes

OWN_ROOMS = {
    ("GET", "/"): Room.HEALTH,
    ("GET", "/health"): Room.HEALTH,
    ("GET", "/play"): Room.PAGE,
    ("GET", "/play/{name}"): Room.PAGE,
    ("POST", "/cancel/{session_id}"): Room.CANCELS,
    ("DELETE", "/v1/audio/speech/{session_id}"): Room.CANCELS,
    ("POST", "/v1/admin/stop"): Room.CANCELS,
    ("POST", "/api/vox_stop"): Room.CANCELS,
    ("POST", "/api/vox_stop_speak"): Room.CANCELS,
    ("POST", "/api/stop_all_vox"): Room.CANCELS,
    ("GET", "/v1/sessions/{session_id}"): Room.REPORTS,
    ("GET", "/v1/sessions/{session_id}/words"): Room.REPORTS,
    ("GET", "/v1/sessions/{session_id}/captions.vtt"): Room.REPORTS,
    ("GET", "/v1/sessions/{session_id}/captions.srt"): Room.REPORTS,
    ("GET", "/api/tts_is_speaking"): Room.REPORTS,
}


def room(method, path, root_path=""):
    return room_of(
        {"type": "http", "method": method, "path": root_path + path, "root_path": root_path}
    )


@pytest.mark.parametrize(("method", "path"), routes())
@pytest.mark.parametrize("root_path", ["", "/english"])
def test_every_stop_report_and_probe_has_a_room_of_its_own(method, path, root_path):
    filled = path.replace("{session_id}", "s")
    assert room(method, filled, root_path) is OWN_ROOMS.get((method, path), Room.REQUESTS)


def test_the_list_names_routes_that_exist():
    assert OWN_ROOMS.keys() <= set(routes())


@pytest.mark.parametrize(("method", "path"), routes(APIWebSocketRoute))
def test_a_socket_counts_as_a_socket(method, path):
    assert room_of({"type": "websocket", "path": path}) is Room.SOCKETS


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/audio/speech"),
        ("GET", "/v1/audio/speech/x"),
        ("GET", "/health/more"),
        ("POST", "/v1/cancel/x"),
        ("DELETE", "/v1/audio/voices/x"),
    ],
)
def test_other_paths_take_no_room_of_theirs(method, path):
    assert room(method, path) is Room.REQUESTS
