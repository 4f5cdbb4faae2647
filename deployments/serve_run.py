"""Ray's `serve run CONFIG` for a supervisor: `python -m deployments.serve_run CONFIG`.

Ray's command always exits with 0, and keeps running when no application can be deployed. This one
ends in that case, and exits with 0 only after an interrupt. SIGINT stops this process from its
first moment on, also as a background job of a shell, which starts with SIGINT ignored.
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
        from ray.serve.scripts import cli  # takes a second, in which an interrupt may come

        threading.Thread(target=watch, daemon=True).start()
        cli(["run", config], standalone_mode=False)
    return 0 if interrupted.is_set() and not failed.is_set() else 1


def _runs_at_first() -> bool:
    """Waits until every application runs, or until one cannot be deployed. A later failure does
    not count: the earlier version of the application may still run."""
    import ray
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException
    from ray.serve.schema import ApplicationStatus

    while True:
        time.sleep(LOOK_AGAIN_S)
        if not ray.is_initialized():  # serve.status() would start a cluster
            continue
        with suppress(RayServeException, RayError):
            statuses = [app.status for app in serve.status().applications.values()]
            if ApplicationStatus.DEPLOY_FAILED in statuses:
                return False
            if statuses and set(statuses) == {ApplicationStatus.RUNNING}:
                return True


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
