"""What the tests of a served application share."""

import subprocess

import pytest

from deployments.server import free_port
from tests.support.deployments.served_app import wait_until_healthy


def test_a_server_whose_process_has_ended_is_not_waited_for_and_its_log_is_told(tmp_path):
    log = tmp_path / "serve.log"
    log.write_text("the port is taken")
    with (
        subprocess.Popen(["sh", "-c", "exit 7"]) as server,
        pytest.raises(AssertionError, match="the server ended with status 7: the port is taken"),
    ):
        wait_until_healthy(f"http://127.0.0.1:{free_port()}", server, log)
