"""Where our log lines go in a Serve replica.

Serve configures the logger `ray.serve` of each replica process: its level and its handlers, which
write the replica's log file (JSON where `logging_config` says so). Loggers of other names reach no
handler there.
"""

import logging

SERVE_LOGGER = "ray.serve"
OUR_LOGGERS = ("app", "deployments")


def log_as_serve_does() -> None:
    """Call it first in a replica's constructor. From then on our loggers have Serve's handlers and
    level; fields given as `extra` are fields of the JSON line.

    Serve's logger becomes the parent, because copies of its handlers would be stale when Serve
    replaces them (a changed `logging_config` on a running replica, Ray 2.60)."""
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        logger.parent = logging.getLogger(SERVE_LOGGER)
        logger.setLevel(logging.NOTSET)  # forgets the levels that loggers below it have cached
