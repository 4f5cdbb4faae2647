import pytest

from app.hearing.messages import (
    Abort,
    End,
    Failed,
    Final,
    Forget,
    Freed,
    Partial,
    Progress,
    Ready,
    Sound,
    decode,
    decode_from_worker,
    decode_to_worker,
    encode,
)

TO_WORKER = (Sound(3, b"\x00\x01\xff"), Sound(1, b""), End(2**40), Abort(7), Forget(0))
FROM_WORKER = (
    Ready(1.25, 2.5),
    Progress(3, 512),
    Partial(3, "grüß dich"),
    Partial(3, ""),
    Final(4, 16_000, "two words"),
    Freed(4, 10.125, 10.25),
    Failed(0, "RuntimeError: no"),
)


@pytest.mark.parametrize("message", [*TO_WORKER, *FROM_WORKER], ids=repr)
def test_a_message_is_read_as_it_was_written(message):
    read = decode(encode(message))
    assert read == message
    assert type(read) is type(message)


@pytest.mark.parametrize("content", [b"", b"\x00", bytes([99]) + bytes(24)])
def test_what_is_no_message_is_refused(content):
    with pytest.raises(ValueError, match="no message"):
        decode(content)


@pytest.mark.parametrize("message", FROM_WORKER, ids=repr)
def test_a_worker_takes_no_message_of_a_worker(message):
    with pytest.raises(ValueError, match="takes no"):
        decode_to_worker(encode(message))


@pytest.mark.parametrize("message", TO_WORKER, ids=repr)
def test_a_call_takes_no_message_of_a_call(message):
    with pytest.raises(ValueError, match="says no"):
        decode_from_worker(encode(message))
