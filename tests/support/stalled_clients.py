"""Clients that ask for speech and read nothing, by raw sockets with small buffers."""

import base64
import json
import os
import socket
from contextlib import contextmanager

import httpx


@contextmanager
def connected(url):
    """`url` may have a path, which does not count."""
    address = httpx.URL(url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((address.host, address.port))
        yield client


def post(client, path, body, request_id="stalled", secret="none"):
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {secret}\r\n"
        f"X-Request-ID: {request_id}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    client.sendall(head.encode() + content)


def open_socket(
    client, request_id="stalled", root="", secret="none", path="/v1/audio/speech/stream"
):
    """A socket by hand: websockets' own client would read."""
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET {root}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Authorization: Bearer {secret}\r\n"
        f"Sec-WebSocket-Key: {key}\r\nX-Request-ID: {request_id}\r\n\r\n".encode()
    )
    assert b"101" in client.recv(64)


def say(client, kind, context_id, **fields):
    send(client, {"type": kind, "context_id": context_id, **fields})


def send(client, event):
    message = json.dumps(event).encode()
    is_short = len(message) <= 125
    length = bytes([len(message)]) if is_short else b"\x7e" + len(message).to_bytes(2, "big")
    length = bytes([0x80 | length[0]]) + length[1:]
    client.sendall(b"\x81" + length + b"\0\0\0\0" + message)  # masked with zeros


def speak_on_a_socket(client, audio="base64", contexts=("a",), text="Hello there.", **named):
    """`named`: the voice, and what `open_socket` takes, where they are not the defaults."""
    voice = named.pop("voice", "default")
    open_socket(client, **named)
    for context_id in contexts:
        say(client, "start", context_id, voice=voice, audio=audio)
        say(client, "text", context_id, text=text)
        say(client, "flush", context_id)


def speak_in_a_realtime_session(client, text, **named):
    """Where the server has no language model, it repeats the text. `named`: as `open_socket`."""
    open_socket(client, path="/v1/realtime", **named)
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    send(client, {"type": "conversation.item.create", "item": said})
    send(client, {"type": "response.create"})
