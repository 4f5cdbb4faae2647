"""T3 as a service: what it asks of a text before its tokens come."""

import pytest

from app.config import ServeArgs
from app.core import SessionKey, TokenRequest, VoiceRef
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.tokenizer import EnglishTokenizer
from app.engine.stages.t3 import T3Stage
from app.text.plan import TextRules, plan_text

pytestmark = pytest.mark.full
TEXT = plan_text("Hello there.", TextRules(language="en"))


@pytest.mark.parametrize(("model", "is_placed"), [("embedded", True), ("embedded-babble", False)])
async def test_a_text_is_placed_only_where_alignment_heads_follow_it(model, is_placed, monkeypatch):
    places = []
    place = EnglishTokenizer.place

    def noting(self, text, language):
        places.append(text)
        return place(self, text, language)

    monkeypatch.setattr(EnglishTokenizer, "place", noting)
    stage = T3Stage.open(ServeArgs(model=model), "cpu")
    stage.start()
    sampling = open_checkpoint(model).spec.sampling
    request = TokenRequest(
        SessionKey("default", "s"),
        0,
        TEXT.segments[0],
        VoiceRef("ada"),
        sampling,
        "en",
        words=TEXT.spans[0],
    )
    groups = [group async for group in stage.tokens(request)]
    stage.close()
    assert sum(len(group.ids) for group in groups) > 5
    assert places == [TEXT.segments[0]] * is_placed
    assert any(group.words for group in groups) is is_placed
