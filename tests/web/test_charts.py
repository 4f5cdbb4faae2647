"""Bins, quantiles, legs and courses: what the charts of the page show."""

import pytest

from app.sessions import timeline
from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.web_page import in_module, web_page

pytestmark = [pytest.mark.full, needs_chromium]


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, FakeSynthesizer(), ready=False) as page:
        yield page


@pytest.mark.parametrize(
    ("values", "num", "filled"),
    [
        ([], 0, []),
        ([3.0], 1, [(3, 3.5, 1)]),
        ([1, 2, 2.4, 20], 11, [(0, 2, 1), (2, 4, 2), (20, 22, 1)]),
        ([0, 1000], 11, [(0, 100, 1), (1000, 1100, 1)]),
    ],
)
def test_values_fall_into_bins_of_a_round_width(page, values, num, filled):
    bins = in_module(page, "charts", "m.binned(a)", values)
    assert len(bins) == num
    assert [tuple(each.values()) for each in bins if each["count"]] == filled


def test_every_value_is_counted_once_and_there_are_at_most_12_bins(page):
    check = """(() => {
        for (let scale = 0.01; scale < 1e5; scale *= 1.7) {
            const values = Array.from({length: 100}, () => Math.random() * scale);
            const bins = m.binned(values);
            const count = bins.reduce((sum, bin) => sum + bin.count, 0);
            if (count !== 100 || bins.length > 12) return {scale, bins};
        }
        return "ok";
    })()"""
    assert in_module(page, "charts", check) == "ok"


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.95, 95), (1, 100), (0, 1)])
def test_a_quantile_is_the_nearest_rank(page, share, value):
    values = [*range(100, 0, -1)]
    assert in_module(page, "charts", "m.quantile(a[0], a[1])", [values, share]) == value


def test_a_bar_table_says_its_values_in_words(page):
    rows = [
        {"name": "queue", "from": 0, "to": 30, "told": "30 ms"},
        {"name": "prefill", "from": 30, "to": 40, "told": "10 ms"},
    ]
    cells = "[...m.barTable('Legs', a).querySelectorAll('caption, th, td.number')]"
    told = in_module(page, "charts", cells + ".map(cell => cell.textContent)", rows)
    assert told == ["Legs", "queue", "30 ms", "prefill", "10 ms"]
    bars = "[...m.barTable('Legs', a).querySelectorAll('.bar')]"
    placed = bars + ".map(({style}) => [style.left, style.width])"
    assert in_module(page, "charts", placed, rows) == [["0%", "75%"], ["75%", "25%"]]


def test_the_page_has_the_legs_of_the_server(page):
    legs = in_module(page, "legs", "[...m.FIRST_SOUND, ...m.CANCEL]")
    told = {name: (begin, end) for name, begin, end, _ in legs}
    server = {
        name: tuple(map(str, ends))
        for name, ends in (timeline._FIRST_AUDIO | timeline._CANCEL).items()
    }
    sums = {"first_audio", "whole"}
    of_others = {"disconnect_engine", "disconnect_vocoder"}  # the page stays, or is not there
    assert told == {name: server[name] for name in server.keys() - sums - of_others}


def test_legs_begin_at_their_marks_and_unknown_ones_are_left_out(page):
    marks = {"received": 100.0, "claimed": 100.002, "queued": 100.01, "prefill": 100.03}
    placed = in_module(page, "legs", "m.placed(m.FIRST_SOUND, a)", marks)
    told = [(leg["name"], round(leg["fromMs"], 3), round(leg["toMs"], 3)) for leg in placed]
    assert told == [("claim", 0, 2), ("queue", 10, 30)]


@pytest.mark.parametrize(
    ("takes", "factor"),
    [
        ([], None),
        ([{"audio_sent_ms": 4000, "marks": {"received": 1.0, "last_cell": 3.0}}], 0.5),
        ([{"audio_sent_ms": 4000, "marks": {"received": 1.0}}], None),
        ([{"audio_sent_ms": 0, "marks": {"received": 1.0, "last_cell": 3.0}}], None),
    ],
)
def test_the_real_time_factor_is_work_per_sound(page, takes, factor):
    assert in_module(page, "legs", "m.realTimeFactor(a)", takes) == factor


def test_a_long_course_keeps_few_points_and_its_last_one(page):
    course = """(() => {
        const course = new m.LiveCourse();
        for (let index = 0; index < 5000; index += 1) course.position(index, 2, index / 10, 1);
        return {num: course.lead.length, last: course.lead.at(-1), tokens: course.tokens.at(-1)};
    })()"""
    told = in_module(page, "live-course", course)
    assert 200 < told["num"] <= 600
    assert (told["last"], told["tokens"]) == ([4999, 499.9], [4999, 50])


def test_a_histogram_draws_no_bar_for_nothing(page):
    drawn = "[...m.histogram('Ms', a).querySelectorAll('.bar')].map(bar => !bar.hidden)"
    assert in_module(page, "charts", drawn, [1, 1.2, 3.6]) == [
        True,
        False,
        False,
        False,
        False,
        True,
    ]
