"""The `chatterbox-serve` command: the client's commands, and those that need the server's parts.

Ray and torch take seconds to import, so each command imports them itself.
"""

import hashlib
import secrets
import signal
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from app.client import cli
from app.client.cli import app, examples
from app.client.speech_client import DEFAULT_URL
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

    Ctrl-C stops the server at once. SIGTERM refuses new sessions and lets running ones finish. The
    exit status is 0 after a stop, 1 where the server could not start or ended by itself, 3 where a
    part of its cluster has died.
    """
    from deployments.cluster_watch import CLUSTER_LOST_STATUS, Part, told
    from deployments.server import STOP_WITHIN_S, ServerProcess
    from deployments.supervision import Orders, supervise

    orders = Orders()
    signal.signal(signal.SIGINT, lambda *_: orders.stop.set())
    signal.signal(signal.SIGTERM, lambda *_: orders.drain.set())
    server = ServerProcess(config, port)
    lost = None
    try:
        server.check_model()
        typer.echo(
            f"The server starts at {server.url}. It is ready when /health answers 200. "
            "Ctrl-C stops it."
        )
        lost = supervise(server, orders, partial(_tell_ready, server), _tell_draining)
        if lost is not None:
            typer.echo(f"error: {told(lost)}", err=True)
    finally:
        server.stop(STOP_WITHIN_S if lost is None else 0.0)
    if lost is not None:
        raise typer.Exit(1 if lost is Part.SERVE_RUN else CLUSTER_LOST_STATUS)


def _tell_ready(server: "ServerProcess") -> None:
    typer.echo(f"The server is ready at {server.url}. {_told_capacity(server.url)}")
    if (dashboard := server.dashboard_url()) is not None:
        ray = Path(sys.executable).with_name("ray")
        typer.echo(f"Ray's dashboard: {dashboard}. Its token: {ray} get-auth-token")


def _told_capacity(url: str) -> str:
    """What /health says of the number of smooth streams."""
    import httpx

    capacity = None
    with suppress(httpx.HTTPError, ValueError, KeyError, TypeError):  # or an error's body
        capacity = httpx.get(f"{url}/health", timeout=2).json()["capacity"]
    if capacity is None:
        return "Its speed is not measured."
    if capacity == 0:
        return (
            "It is slower than real time for this model: the first sound of a stream is held for "
            "as long as its text needs, at most limits.first_audio_s."
        )
    return f"Its capacity is {capacity}: streams at the same time without a gap."


def _tell_draining() -> None:
    typer.echo("The server drains: new sessions are refused, running sessions finish.")


@app.command(
    epilog=examples(
        "tune --config deploy/serve/cpu.yaml --out tuned.yaml",
        "tune --config deploy/serve/cpu.yaml --model nano --out tuned.yaml",
    )
)
def tune(
    config: Config = CONFIG,
    model: Annotated[
        str | None, typer.Option(help="A model to measure instead of the config's.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The serve config to write.")] = Path("tuned.yaml"),
) -> None:
    """Measure this machine's CPU with a model, and write the serve config that suits both.

    Takes a minute or two, in which nothing else should run on the machine.
    """
    from deployments.tune import summary_of, write_tuned_config

    choice = write_tuned_config(config, out, model, partial(typer.echo, err=True))
    typer.echo(f"{summary_of(choice)} {out} has these settings.")


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


@app.command(
    epilog=examples("wyoming", "wyoming --url http://10.0.0.5:8000 --listen tcp://0.0.0.0:10200")
)
def wyoming(
    url: cli.Url = DEFAULT_URL,
    listen: Annotated[
        str, typer.Option(help="Where clients connect. 0.0.0.0: from other machines too.")
    ] = "tcp://127.0.0.1:10200",
) -> None:
    """Speak for Home Assistant: a bridge from its Wyoming protocol to a running server."""
    from app.client import wyoming_bridge

    typer.echo(f"The bridge to {url} listens at {listen}. Ctrl-C stops it.")
    wyoming_bridge.run(url, listen)


if __name__ == "__main__":
    sys.exit(main())
