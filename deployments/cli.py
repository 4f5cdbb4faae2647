"""The `chatterbox-serve` command: the client's commands, and those that need the server's parts.

Ray and torch take seconds to import, so each command imports them itself.
"""

import contextlib
import hashlib
import math
import secrets
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from app.client import cli
from app.client.cli import app, examples
from app.errors import Unavailable
from app.key_settings import KeySettings, Role

if TYPE_CHECKING:
    from deployments.server import ServerProcess

CONFIG = Path("serve_config.yaml")

Config = Annotated[Path, typer.Option(help="The serve config.")]
Port = Annotated[int | None, typer.Option(help="Overrides the port of the config.")]


def main() -> int:
    return cli.main()


@app.command(epilog=examples("check-config", "check-config deploy/serve/one-gpu.yaml"))
def check_config(
    file: Annotated[Path, typer.Argument(help="The serve config.")] = CONFIG,
) -> None:
    """List every fault of a serve config."""
    from deployments import config_check

    config_check.check_config(file)
    typer.echo(f"{file}: no faults found")


@app.command(
    epilog=examples(
        "new-key my-app >> keys.yaml",
        "new-key my-app --tenant acme --roles speak,voices >> keys.yaml",
    )
)
def new_key(
    name: Annotated[str, typer.Argument(help="The name of the key in logs and usage counts.")],
    tenant: Annotated[
        str, typer.Option(help="The key sees the sessions and voices of this tenant.")
    ] = "default",
    roles: Annotated[
        str, typer.Option(help="Comma-separated: speak, voices, admin.")
    ] = Role.SPEAK.value,
) -> None:
    """Make an API key. stdout: its entry for the keys file. stderr: the key itself."""
    secret = f"cbx_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = KeySettings(name=name, sha256=digest, tenant=tenant, roles=_parse_roles(roles))
    entry = yaml.safe_dump([key.model_dump(mode="json", exclude_defaults=True)], sort_keys=False)
    typer.echo(f"API key (it is shown only once): {secret}", err=True)
    typer.echo(entry, nl=False)


def _parse_roles(text: str) -> tuple[Role, ...]:
    try:
        return tuple(Role(name) for name in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--roles") from None


@app.command(epilog=examples("serve", "serve --config deploy/serve/one-gpu.yaml --port 8001"))
def serve(config: Config = CONFIG, port: Port = None) -> None:
    """Check the config, then run the server.

    Ctrl-C stops the server at once. SIGTERM refuses new sessions and lets running ones finish.
    """
    from deployments.server import ServerProcess

    stopping, draining, died = threading.Event(), threading.Event(), threading.Event()

    def terminate(*_: object) -> None:
        draining.set()
        stopping.set()

    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    signal.signal(signal.SIGTERM, terminate)
    server = ServerProcess(config, port)

    def watch() -> None:
        server.wait()
        died.set()
        stopping.set()

    try:
        server.check_model()
        threading.Thread(target=watch, daemon=True).start()
        threading.Thread(target=_announce, args=(server,), daemon=True).start()
        typer.echo(
            f"The server starts at {server.url}. It is ready when /health answers 200. "
            "Ctrl-C stops it."
        )
        stopping.wait()
        if draining.is_set() and not died.is_set():
            typer.echo("The server drains: new sessions are refused, running sessions finish.")
            server.drain(server.longest_session_s)
        if died.is_set():
            raise Unavailable("the server ended by itself; its last log lines say why")
    finally:
        server.stop()


def _announce(server: "ServerProcess") -> None:
    """Says when the server is ready, and how to open Ray's dashboard."""
    with contextlib.suppress(Unavailable):  # the server ended before it was ready
        server.wait_ready(math.inf)
        typer.echo(f"The server is ready at {server.url}.")
        if (dashboard := server.dashboard_url()) is not None:
            ray = Path(sys.executable).with_name("ray")
            typer.echo(f"Ray's dashboard: {dashboard}. Its token: {ray} get-auth-token")


@app.command(epilog=examples("demo", "demo --port 8001 --out demo.wav"))
def demo(
    config: Config = CONFIG,
    port: Port = None,
    out: Annotated[Path, typer.Option(help="The WAV file to write.")] = Path("demo.wav"),
) -> None:
    """Start the server, speak a sentence, cancel a longer text, stop the server."""
    from deployments.demo import run_demo
    from deployments.server import ServerProcess

    with tempfile.TemporaryDirectory() as folder:
        server = ServerProcess(config, port, log=Path(folder) / "serve.log")
        try:
            server.check_model()
            run_demo(server, out)
        finally:
            killed = server.stop()
            num_left = len(server.processes())
            told = f" ({', '.join(killed)} had to be killed)" if killed else ""
            typer.echo(f"The server stopped. {num_left} of its processes are still running{told}.")
    if num_left:
        raise typer.Exit(1)


if __name__ == "__main__":
    sys.exit(main())
