"""The `chatterbox-serve` command: the client's commands, and those that need Ray."""

import argparse
import hashlib
import secrets
import signal
import sys
import tempfile
import threading
from pathlib import Path

import yaml

from app.client import cli
from app.client.cli import Command, Terminal
from app.config import KeySettings, Role
from app.errors import ServeError, Unavailable
from deployments.config_check import check_config
from deployments.demo import run_demo
from deployments.server import ServerProcess

CONFIG = Path("serve_config.yaml")


def main() -> int:
    try:
        return cli.main(extra_commands=COMMANDS)
    except ServeError as fault:
        sys.stderr.write(f"error: {fault.message}\n")
        return 1


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", default=CONFIG)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--port", type=int, help="instead of the config's")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    _add_server(parser)
    parser.add_argument("--out", type=Path, default=Path("demo.wav"))


def _check(args: argparse.Namespace, terminal: Terminal) -> int:
    check_config(args.file)
    terminal.out.print(f"{args.file}: in order")
    return 0


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="for logs and counts")
    parser.add_argument("--tenant", default="default", help="whose sessions and voices it sees")
    parser.add_argument(
        "--roles", type=_roles, default=(Role.SPEAK,), help="of speak,voices,admin (default: speak)"
    )


def _roles(text: str) -> tuple[Role, ...]:
    try:
        return tuple(Role(name) for name in text.split(","))
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _new_key(args: argparse.Namespace, terminal: Terminal) -> int:
    """The key is shown once, on stderr; what goes into the keys file, on stdout."""
    secret = f"cbx_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = KeySettings(name=args.name, sha256=digest, tenant=args.tenant, roles=args.roles)
    entry = yaml.safe_dump([key.model_dump(mode="json", exclude_defaults=True)], sort_keys=False)
    terminal.err.print(f"key, shown this once: {secret}", highlight=False, soft_wrap=True)
    terminal.out.print(entry, end="", markup=False, highlight=False, soft_wrap=True)
    return 0


def _serve(args: argparse.Namespace, terminal: Terminal) -> int:
    stopping = threading.Event()
    drains = threading.Event()  # SIGTERM; Ctrl-C stops at once
    died = threading.Event()

    def terminate(*_: object) -> None:
        drains.set()
        stopping.set()

    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    signal.signal(signal.SIGTERM, terminate)
    server = ServerProcess(args.config, args.port)

    def watch() -> None:
        server.wait()
        died.set()
        stopping.set()

    try:
        server.check_model()
        threading.Thread(target=watch, daemon=True).start()
        terminal.out.print(f"serving on {server.url} once its /health is ok; Ctrl-C stops")
        stopping.wait()
        if drains.is_set() and not died.is_set():
            terminal.out.print("draining: no new session; those that live go on to their ends")
            server.drain(server.longest_session_s)
        if died.is_set():
            raise Unavailable("the server ended by itself; what it said last is why")
    finally:
        server.stop()
    return 0


def _demo(args: argparse.Namespace, terminal: Terminal) -> int:
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(args.config, args.port, log=Path(folder) / "serve.log")
        try:
            server.check_model()
            run_demo(server, args.out, terminal)
        finally:
            killed = server.stop()
            left = len(server.processes())
            told = f" (had to kill {', '.join(killed)})" if killed else ""
            terminal.out.print(f"stopped; {left} processes are left running{told}")
    return 1 if left else 0


COMMANDS = (
    Command("check-config", "name every fault of a serve config", _add_file, _check),
    Command("new-key", "make an API key and its entry for the keys file", _add_key, _new_key),
    Command("serve", "check the config, then run the server", _add_server, _serve),
    Command("demo", "start the server, speak, cancel, stop", _add_demo, _demo),
)

if __name__ == "__main__":
    sys.exit(main())
