"""The API key that came with a request, in one of the ways in which a client may send a key.

A key in the URL does not count: logs and browser histories keep URLs.
"""

from collections.abc import Iterator

from starlette.datastructures import Headers

from app.errors import BadRequest

SUBPROTOCOL = "chatterbox"
# A browser cannot send a header with a socket. The second is of OpenAI's clients.
_KEY_PROTOCOLS = (f"{SUBPROTOCOL}.key.", "openai-insecure-api-key.")


def secret_of(headers: Headers, *, is_socket: bool) -> str | None:
    """Raises BadRequest where the request has several keys that differ: a proxy before this server
    could have checked another key than the server."""
    secrets = secrets_of(headers, is_socket)
    if len(secrets) > 1:
        raise BadRequest("the request has several API keys; send one", code="several_api_keys")
    return next(iter(secrets), None)


def secrets_of(headers: Headers, is_socket: bool) -> set[str]:
    """Every key that the request has, also where there are several."""
    return {secret for each in _secrets(headers, is_socket) if (secret := each.strip())}


def _secrets(headers: Headers, is_socket: bool) -> Iterator[str]:
    for value in headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() in ("bearer", "token"):  # Deepgram's clients say Token
            yield token
    yield from headers.getlist("x-api-key")
    yield from headers.getlist("xi-api-key")  # ElevenLabs' clients
    yield from headers.getlist("x-vapi-secret")
    for value in headers.getlist("sec-websocket-protocol") if is_socket else ():
        for name in map(str.strip, value.split(",")):
            for prefix in _KEY_PROTOCOLS:
                if name.startswith(prefix):
                    yield name.removeprefix(prefix)
