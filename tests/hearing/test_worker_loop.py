import pytest

from app.hearing.messages import Abort, End, Failed, Final, Forget, Freed, Partial, Progress, Sound
from app.hearing.worker_loop import WorkerLoop
from tests.support.scripted_recogniser import RAISES, ScriptedRecogniser, frame_saying


class Mark:
    up_to = 0


class Worker:
    def __init__(self):
        self.recogniser, self.mark, self.said = ScriptedRecogniser(), Mark(), []
        self.loop = WorkerLoop(self.recogniser, self.mark, self.said.append)

    def tell(self, *messages):
        """What is said to them, but the progress."""
        self.said.clear()
        self.loop.run(iter(messages))
        return [each for each in self.said if not isinstance(each, Progress)]


@pytest.fixture
def worker():
    return Worker()


def saying(generation, *values):
    return [Sound(generation, frame_saying(value)) for value in values]


def test_an_utterance_is_heard_to_its_end(worker):
    said = worker.tell(*saying(1, 5, 6), End(1))
    assert said == [Partial(1, "5"), Partial(1, "5 6"), Final(1, 1024, "5 6")]


def test_every_frame_is_a_sign_of_life(worker):
    worker.tell(*saying(1, 5, 0, 0))
    progress = [each for each in worker.said if isinstance(each, Progress)]
    assert progress == [Progress(1, 512), Progress(1, 1024), Progress(1, 1536)]


def test_an_end_without_sound_has_no_words(worker):
    assert worker.tell(End(1)) == [Final(1, 0, "")]


def test_an_abort_frees_the_recogniser_and_says_when(worker):
    worker.tell(*saying(1, 5))
    worker.mark.up_to = 1
    (freed,) = worker.tell(Abort(1))
    assert isinstance(freed, Freed)
    assert freed.up_to == 1
    assert freed.aborted_at_s <= freed.freed_at_s
    assert not worker.recogniser.live()


def test_the_mark_overtakes_sound_that_waits(worker):
    worker.tell(*saying(1, 5))
    num_accepted = worker.recogniser.num_accepted
    worker.mark.up_to = 1
    said = worker.tell(*saying(1, 6, 7, 8), End(1), Abort(1))
    assert [type(each) for each in said] == [Freed]
    assert worker.recogniser.num_accepted == num_accepted


def test_an_abort_that_comes_during_a_frame_is_seen_after_it(worker):
    accept = worker.recogniser.accept

    def abort_meanwhile(pcm):
        worker.mark.up_to = 1
        return accept(pcm)

    worker.recogniser.accept = abort_meanwhile
    said = worker.tell(*saying(1, 5))
    assert [type(each) for each in said] == [Freed]


def test_an_abort_that_comes_during_the_final_words_lets_none_out(worker):
    worker.tell(*saying(1, 5))
    final = worker.recogniser.final

    def abort_meanwhile():
        worker.mark.up_to = 1
        return final()

    worker.recogniser.final = abort_meanwhile
    assert [type(each) for each in worker.tell(End(1))] == [Freed]


def test_the_next_utterance_is_heard_after_an_abort(worker):
    worker.tell(*saying(1, 5))
    worker.mark.up_to = 1
    said = worker.tell(Abort(1), *saying(2, 7), End(2))
    assert said[1:] == [Partial(2, "7"), Final(2, 512, "7")]


def test_a_second_abort_of_the_same_utterance_says_nothing(worker):
    worker.mark.up_to = 1
    assert len(worker.tell(Abort(1), Abort(1))) == 1


def test_an_abort_of_an_older_utterance_leaves_the_open_one(worker):
    worker.tell(*saying(1, 5), End(1), *saying(2, 6))
    worker.mark.up_to = 1
    worker.tell(Abort(1))
    assert worker.tell(*saying(2, 7), End(2))[-1] == Final(2, 1024, "6 7")


def test_a_sound_of_an_old_utterance_does_not_begin_it_again(worker):
    worker.mark.up_to = 3
    worker.tell(Abort(3))
    assert worker.tell(*saying(2, 5), End(2)) == []


def test_an_utterance_without_an_end_gives_way_to_the_next(worker):
    said = worker.tell(*saying(1, 5), *saying(2, 6), End(2))
    assert said[-1] == Final(2, 512, "6")


def test_an_error_fails_the_utterance_alone(worker):
    said = worker.tell(*saying(1, 5, RAISES, 6), End(1), *saying(2, 7), End(2))
    assert said[1] == Failed(1, "RuntimeError: scripted")
    assert said[2:] == [Partial(2, "7"), Final(2, 512, "7")]


def test_another_call_finds_nothing_of_the_one_before(worker):
    worker.tell(*saying(1, 5))
    worker.tell(Forget(2))
    assert worker.recogniser.num_forgotten == 1
    assert not worker.recogniser.live()
    assert worker.tell(*saying(1, 5), End(1)) == []
