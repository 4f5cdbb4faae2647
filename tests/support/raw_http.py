"""Requests as bytes, for clients that HTTP libraries will not play."""

import socket
from contextlib import closing
from urllib.parse import urlsplit

WAIT_S = 30


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S)


def until_closed(client: socket.socket) -> bytes:
    """All that the server sends. Raises TimeoutError where the server does not close."""
    received = b""
    while part := client.recv(65_536):
        received += part
    return received


def answer_to(url: str, request: bytes) -> bytes:
    """The answer to a request after which the server closes the connection."""
    with closing(connected(url)) as client:
        client.sendall(request)
        return until_closed(client)
