"""The client against answers that its server never gives."""

import socket
import threading

import numpy as np
import pytest

from app.client.speech_client import RequestFailed, SpeechClient, _whole_samples


def test_pcm_never_splits_a_sample():
    pcm = np.arange(1000, dtype="<i2").tobytes()
    parts = list(_whole_samples(iter([pcm[:1], pcm[1:2], pcm[2:501], pcm[501:]])))
    assert b"".join(parts) == pcm
    assert all(len(part) % 2 == 0 for part in parts)


def test_an_answer_without_an_error_object_raises_its_status():
    """A proxy's own page has no error object."""
    page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(page)

        thread = threading.Thread(target=serve_one)
        thread.start()
        with (
            SpeechClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client,
            pytest.raises(RequestFailed, match="502: Bad Gateway") as caught,
        ):
            client.models()
        thread.join(10)
        assert not thread.is_alive(), "the answer was not sent"
    assert caught.value.status == 502
