"""One context at a time, under any order of a client's messages and of what becomes of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.dialects.dialect import Opening, ServerMessage
from app.api.dialects.one_context import OneContext
from app.api.socket_messages import Cancel, Flush, Start, Text
from app.errors import BadRequest

OPENING = Opening(Start(type="start", context_id="new", voice="default"), silence=b"\0\0")
FLUSHED = ServerMessage("flushed", "c0", 0, {"dropped_characters": 0})
ACTS = st.lists(st.sampled_from(["say", "flush", "clear", "fail", "hear"]), max_size=40)


def test_the_first_text_opens_a_context_and_the_next_goes_to_it():
    context = OneContext(OPENING)
    opening, text = context.say("One ")
    assert (opening.context_id, text.context_id, text.text) == ("c0", "c0", "One ")
    assert [step.text for step in context.say("two. ")] == ["two. "]
    assert [step.context_id for step in context.flush()] == ["c0"]


def test_a_flush_and_a_clear_of_nothing_are_no_steps():
    context = OneContext(OPENING)
    assert [*context.flush(), *context.clear()] == []


def test_the_rest_of_a_text_that_failed_is_thrown_away():
    context = OneContext(OPENING)
    list(context.say("One "))
    context.failed()
    assert [*context.say("two "), *context.flush()] == []
    assert [type(step) for step in context.say("Next. ")] == [Opening, Text]


def test_a_text_after_one_that_failed_as_a_whole_is_spoken():
    context = OneContext(OPENING)
    list(context.say("One. "))
    list(context.flush())
    context.failed()
    assert [step.context_id for step in context.say("Two. ")] == ["c1", "c1"]


def test_a_turn_without_sound_needs_a_little_silence():
    context = OneContext(OPENING)
    list(context.say("🙂"))
    assert context.flushed(FLUSHED) == b"\0\0" * 10
    context.heard()
    assert context.flushed(FLUSHED) == b""


def test_a_turn_of_which_nothing_can_be_read_has_failed():
    context = OneContext(OPENING)
    list(context.say("日本語"))
    dropped = replace(FLUSHED, fields={"dropped_characters": 3})
    with pytest.raises(BadRequest) as refused:
        context.flushed(dropped)
    assert refused.value.code == "unsupported_characters"
    assert context.flushed(dropped) == b"\0\0" * 10  # of the next turn nothing more was dropped


@pytest.mark.parametrize("name", ["c0", "c7", None])
def test_a_step_that_the_socket_refused_ends_the_context_that_it_is_about(name):
    context = OneContext(OPENING)
    list(context.say("One "))
    context.refused(ServerMessage("error", name, error=BadRequest("too much text waits")))
    assert (context.is_open, context.is_failed) == (name != "c0", name == "c0")


def test_a_frame_that_cannot_be_read_loses_the_text_that_is_coming():
    context = OneContext(OPENING)
    with pytest.raises(BadRequest):
        list(context.body_of("{broken"))
    assert not context.is_failed
    list(context.say("One "))
    with pytest.raises(BadRequest):
        list(context.body_of("{broken"))
    assert context.is_failed
    assert not context.is_open


@given(ACTS)
def test_every_step_is_of_a_context_that_was_opened_and_has_not_ended(acts):
    context, opened, named = OneContext(OPENING), None, set()
    for number, act in enumerate(acts):
        if act == "fail":
            context.failed()
            opened = None
        elif act == "hear":
            context.heard()
        else:
            steps = list(context.say(f"{number} ") if act == "say" else getattr(context, act)())
            for step in steps:
                if isinstance(step, Opening):
                    assert opened is None
                    opened = step.context_id
                    assert opened not in named
                    named.add(opened)
                assert step.context_id == opened
                if isinstance(step, Cancel):
                    opened = None
                assert isinstance(step, Opening | Text | Flush | Cancel)
        assert context.is_open == (opened is not None)
        assert not context.has(ServerMessage("audio", "elsewhere"))
