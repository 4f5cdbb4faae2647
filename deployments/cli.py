"""The `chatterbox-serve` command: the client's commands, and those that need Ray."""

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path

from app import cli
from app.cli import Command, Terminal
from app.errors import ServeError
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


def _serve(args: argparse.Namespace, terminal: Terminal) -> int:
    stopping = threading.Event()
    drains = threading.Event()  # SIGTERM; Ctrl-C stops at once

    def terminate(*_: object) -> None:
        drains.set()
        stopping.set()

    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    signal.signal(signal.SIGTERM, terminate)
    server = ServerProcess(args.config, args.port)

    def watch() -> None:
        server.wait()
        stopping.set()

    try:
        server.check_model()
        threading.Thread(target=watch, daemon=True).start()
        terminal.out.print(f"serving on {server.url} once its /health is ok; Ctrl-C stops")
        stopping.wait()
        if drains.is_set():
            terminal.out.print("draining: no new session; those that live go on to their ends")
            server.drain(server.longest_session_s)
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
    Command("serve", "check the config, then run the server", _add_server, _serve),
    Command("demo", "start the server, speak, cancel, stop", _add_demo, _demo),
)

if __name__ == "__main__":
    sys.exit(main())
