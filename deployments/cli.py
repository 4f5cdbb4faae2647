"""The `chatterbox-serve` command: the client's commands, and those that need Ray."""

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path

from rich.console import Console

from app import cli
from app.errors import ServeError
from deployments.config_check import check_config
from deployments.demo import run_demo
from deployments.server import ServerProcess

CONFIG = Path("serve_config.yaml")


def main() -> int:
    return cli.main(sys.argv[1:], extra_commands=add_commands)


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = commands.add_parser("check-config", help="name every fault of a serve config")
    check.add_argument("file", type=Path, nargs="?", default=CONFIG)
    check.set_defaults(run=_check)

    serve = commands.add_parser("serve", help="check the config, then run the server")
    serve.add_argument("--config", type=Path, default=CONFIG)
    serve.add_argument("--port", type=int, help="instead of the config's")
    serve.set_defaults(run=_serve)

    demo = commands.add_parser("demo", help="start, speak, cancel, stop")
    demo.add_argument("--config", type=Path, default=CONFIG)
    demo.add_argument("--port", type=int, help="instead of the config's")
    demo.add_argument("--out", type=Path, default=Path("demo.wav"))
    demo.set_defaults(run=_demo)


def _check(args: argparse.Namespace) -> int:
    check_config(args.file)
    Console().print(f"{args.file}: in order")
    return 0


def _serve(args: argparse.Namespace) -> int:
    server = ServerProcess(args.config, args.port)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    def watch() -> None:
        server.wait()
        stopping.set()

    threading.Thread(target=watch, daemon=True).start()
    Console().print(f"serving on {server.url} once /health is ok; Ctrl-C stops")
    stopping.wait()
    server.stop()
    return 0


def _demo(args: argparse.Namespace) -> int:
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(args.config, args.port, log=Path(folder) / "serve.log")
        try:
            run_demo(server, args.out, console)
        finally:
            killed = server.stop()
            left = server.processes()
            console.print(f"stopped; processes left running: {len(left)}" + _told(killed))
    return 1 if left else 0


def _told(killed: list[str]) -> str:
    return f" (killed: {', '.join(killed)})" if killed else ""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServeError as fault:
        sys.exit(fault.message)
