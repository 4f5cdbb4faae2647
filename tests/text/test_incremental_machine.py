"""A language model writes, stops and goes on: what is spoken are always the words of the text."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from app.text.incremental import IncrementalText
from app.text.plan import TextRules
from app.text.pronunciations import Pronunciation
from tests.text.test_incremental import MARKDOWN, WRITTEN, spoken_words, texts

RULES = TextRules(
    strip_markdown=True,
    pronunciations=(Pronunciation("New York", "big apple"), Pronunciation("SQL", "sequel")),
    tags=("laugh", "clear throat"),
)
TEXTS = [*WRITTEN, *MARKDOWN, "We met in New York, and SQL was new. ", "Es kostet 3,50 €. "]


class ArrivingText(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.stream = IncrementalText.of(RULES)
        self.text = ""  # that has come since the last flush
        self.coming = ""
        self.takes = []

    @rule(text=st.sampled_from(TEXTS))
    def write(self, text):
        self.coming += text

    @rule(num_chars=st.integers(1, 200))
    def send(self, num_chars):
        piece, self.coming = self.coming[:num_chars], self.coming[num_chars:]
        self.text += piece
        takes = texts(self.stream.push(piece))
        self.takes += takes
        if takes:
            said = spoken_words(self.takes, RULES)
            assert spoken_words([self.text], RULES)[: len(said)] == said

    @rule()
    def wait(self):
        """Too long; a language model stops behind a word."""
        if self.text[-1:].isspace():
            self.takes += texts(self.stream.flush_closed())

    @rule()
    def flush(self):
        self.text += self.coming
        self.takes += texts([*self.stream.push(self.coming), *self.stream.flush()])
        assert spoken_words(self.takes, RULES) == spoken_words([self.text], RULES)
        self.text, self.coming, self.takes = "", "", []

    def teardown(self):
        self.flush()


TestArrivingText = ArrivingText.TestCase
TestArrivingText.settings = settings(max_examples=15, stateful_step_count=15)
