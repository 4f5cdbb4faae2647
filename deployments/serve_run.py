"""Ray's `serve run CONFIG` for a supervisor: `python -m deployments.serve_run CONFIG`.

Exits with 0 only where it was interrupted. Ray's does so whatever ended it, and where nothing of
the config could be deployed it stays up with nothing to serve. SIGINT stops it from its first
moment on, also as a job in a shell's background, which is started deaf to it.
"""

import signal
import sys
import threading
import time
from contextlib import suppress

import click

LOOK_AGAIN_S = 1.0


def run(config: str) -> int:
    interrupted, failed = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    def watch() -> None:
        if not _runs_at_first():
            failed.set()
            signal.pthread_kill(main, signal.SIGINT)

    main = threading.get_ident()
    signal.signal(signal.SIGINT, stop)
    with suppress(SystemExit, KeyboardInterrupt, click.Abort):
        from ray.serve.scripts import cli  # a second: an interrupt may come meanwhile

        threading.Thread(target=watch, daemon=True).start()
        cli(["run", config], standalone_mode=False)
    return 0 if interrupted.is_set() and not failed.is_set() else 1


def _runs_at_first() -> bool:
    """Waits until every application runs, or one cannot be deployed. What fails later is another
    matter: what ran before may still do."""
    import ray
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException
    from ray.serve.schema import ApplicationStatus

    while True:
        time.sleep(LOOK_AGAIN_S)
        if not ray.is_initialized():  # to ask would start a cluster
            continue
        with suppress(RayServeException, RayError):
            told = [app.status for app in serve.status().applications.values()]
            if ApplicationStatus.DEPLOY_FAILED in told:
                return False
            if told and set(told) == {ApplicationStatus.RUNNING}:
                return True


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
