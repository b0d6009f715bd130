"""How good the tests are, in numbers, and the page that says so."""

import math
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup

from grading.csv_files import Identity
from grading.item_analysis import analyse, common_messages, discrimination, histogram, shortened
from grading.report_page import decimals, page, percent
from grading.results import STATUSES, Result
from tests.axe import problems
from tests.browser import visit

MAX = {"first": 2.0, "second": 3.0, "third": 5.0}


def class_of(*rows, status="graded", **more):
    """Results with these points on the tests of MAX, in order."""
    made = []
    for place, row in enumerate(rows):
        points = dict(zip(MAX, map(float, row), strict=False))
        student = Result("toy", f"s{place:03}", status, points=points, max_score=10.0, **more)
        student.score = sum(points.values())
        made.append(student)
    return made


def people(results):
    return {r.student: Identity(f"Name of {r.student}") for r in results}


def soup_of(results, max_points=MAX, **options):
    text = page(analyse(results, max_points), results, people(results), title="toy", **options)
    return BeautifulSoup(text, "html.parser")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [3, 10, 200])
def test_discrimination_is_numpys_correlation_with_the_other_tests(seed, size):
    rows = np.random.default_rng(seed).integers(0, [3, 4, 6], (size, 3)).astype(float)
    rows[0], rows[1] = (0, 0, 0), (2, 3, 5)  # no column is constant
    items = analyse(class_of(*rows), MAX).items
    for column, item in enumerate(items):
        own = rows[:, column]
        rest = rows.sum(axis=1) - own
        assert item.discrimination == pytest.approx(np.corrcoef(own, rest)[0, 1], abs=1e-5)
        assert item.difficulty == pytest.approx(own.mean() / MAX[item.name])
        assert item.full_marks == pytest.approx((own == MAX[item.name]).mean())


def test_a_case_computed_by_hand():
    found = analyse(class_of((2, 3, 0), (2, 0, 5), (0, 3, 5), (0, 0, 0)), MAX)
    first = found.items[0]
    assert (first.difficulty, first.full_marks) == (0.5, 0.5)
    # own: 1 1 -1 -1 about the mean 1; rest: 3 5 8 0, so -1 1 4 -4 about 4: covariance 0
    assert first.discrimination == 0
    assert (found.mean, found.median, found.counted) == (5.0, 6.0, 4)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(2, 3, 5)], "it takes three submissions"),
        ([(2, 3, 5), (0, 0, 0)], "it takes three submissions"),
        ([(2, 3, 5)] * 4, "all have the same points on it"),
        ([(2, 3, 5), (0, 3, 5), (2, 3, 5)], "all have the same points on the other tests"),
        ([(2,), (0,), (2,)], "it is the only test"),
        # 0.1 + 0.2 is not 0.3, yet the others have the same points
        (
            [(2, 0.1, 0.2), (0, 0.3, 0), (2, 0.2, 0.1)],
            "all have the same points on the other tests",
        ),
    ],
)
def test_undefined_discrimination_says_why(rows, reason):
    first = analyse(class_of(*rows), MAX).items[0]
    assert (first.discrimination, first.undefined) == (None, reason)
    row = soup_of(class_of(*rows)).find("th", string="first").find_parent("tr")
    assert row.find("td", {"data-label": "discrimination"}).text == f"–{reason}"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(2, 3, 5), (2, 0, 0), (2, 0, 5)], ["everybody is right"]),
        ([(1, 3, 5), (0, 0, 0), (1, 0, 5)], ["nobody is right"]),
        ([(0, 3, 5), (2, 0, 0), (1, 0, 5)], ["negative discrimination"]),
        ([(2, 3, 0), (2, 0, 5), (0, 3, 5), (0, 0, 0)], ["low discrimination"]),
        ([(1, 0, 0), (0, 3, 5), (1, 0, 5)], ["nobody is right", "negative discrimination"]),
        ([(2, 3, 5), (0, 0, 0), (2, 3, 5)], []),
    ],
)
def test_flags_in_words(rows, words):
    flags = analyse(class_of(*rows), MAX).items[0].flags
    assert [flag[: len(word)] for flag, word in zip(flags, words, strict=True)] == words
    shown = soup_of(class_of(*rows)).find("td", {"data-label": "look at"}).find_all("li")
    assert [item.text for item in shown] == flags


@pytest.mark.parametrize("status", STATUSES)
def test_who_counts(status):
    results = class_of((2, 3, 5), (0, 0, 5), (2, 0, 0)) + class_of((0, 0, 0), status=status)
    results[-1].student = "last"
    found = analyse(results, MAX)
    counts = status not in ("refused", "failed")
    assert found.counted == 3 + counts
    assert found.items[0].difficulty == pytest.approx(0.5 if counts else 2 / 3)
    assert sum(found.endings.values()) == found.submissions == 4
    assert "Those that timed out, ran out of memory or crashed count" in soup_of(results).text


@pytest.mark.parametrize("lost", [(), (math.nan,) * 3])
def test_a_submission_without_points_has_none(lost):
    results = class_of((2, 3, 5), (2, 3, 5), (2, 3, 5), lost, status="crashed")
    results[-1].score = 0.0
    assert [item.difficulty for item in analyse(results, MAX).items] == [0.75] * 3


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["got 0.312", "got 0.327", "got 0.327"], [("got 0.327", 3, 2)]),
        (["got -1e-05", "got nan", "got inf", "got 3."], [("got -1e-05", 3, 3), ("got 3.", 1, 1)]),
        (["shape (3, 4)", "shape (5, 6)"], [("shape (3, 4)", 2, 2)]),
        (["f at 0x7f01 is odd", "f at 0x7ffe is odd"], [("f at 0x7f01 is odd", 2, 2)]),
        (["no conv2d", "no conv1d"], [("no conv1d", 1, 1), ("no conv2d", 1, 1)]),
        (["a", "b", "b", "c", "d"], [("b", 2, 1), ("a", 1, 1), ("c", 1, 1)]),
        (["NotRun: an earlier cell failed", ""], []),
        (["x" * 10_000], [("x" * 199 + "…", 1, 1)]),
    ],
)  # fmt: skip
def test_messages_that_differ_in_numbers_are_one(texts, expected):
    found = [(m.example, m.count, m.variants) for m in common_messages(texts)]
    assert found == expected


def test_messages_stand_beside_their_test_and_other_cells_apart():
    results = class_of((0, 0, 0), (0, 0, 0), (0, 0, 0))
    for result, text in zip(results, ("got 1", "got 2", "NotRun: stopped"), strict=True):
        result.messages = {"first": text, "double": "NameError: name 'y' is not defined"}
    soup = soup_of(results)
    cell = soup.find("td", {"data-label": "most common messages"})
    assert cell.li.text == "got 1 2\u00a0×, in 2 variants"
    assert "not reached: 1 ×" in cell.text
    other = soup.find("table", {"aria-labelledby": "elsewhere"})
    assert other.tbody.th.text == "double"
    assert "3\u00a0×" in other.tbody.td.text


@pytest.mark.parametrize(
    ("scores", "most", "expected"),
    [
        ([], 10, [0] * 10),
        ([-1, 0, 0.5, 1, 10, 12], 10, [3, 1, 0, 0, 0, 0, 0, 0, 0, 2]),
        ([0.3, 0.6, 0.7], 1, [0, 0, 0, 1, 0, 0, 1, 1, 0, 0]),
        ([0, 1], 0, []),
    ],
)
def test_histogram(scores, most, expected):
    assert histogram(scores, most) == expected


@pytest.mark.parametrize("size", [0, 1, 2, 9, 10])
def test_small_classes(size):
    soup = soup_of(class_of(*[(2, 3, 5)] * size))
    assert ("the figures below tell little" in soup.text) == (size < 10)
    assert not re.search(r"\b(nan|inf|None)\b", soup.text, re.IGNORECASE)
    assert bool(soup.svg) == (size > 0)


def test_no_points_and_no_numbers():
    results = class_of((0, 0, 0), (0, 0, 0), (0, 0, 0))
    results[0].score, results[1].max_score = math.nan, 0.0
    for result in results:
        result.max_score = 0.0
    soup = soup_of(results, {})
    assert "it has no points" in soup.text
    assert "there is nothing to draw" in soup.text
    assert not re.search(r"\b(nan|inf|None)\b", soup.text, re.IGNORECASE)


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'><svg/onload=alert(1)>",
        "</td></table><iframe src=//evil.example>",
        "{{ 7 * 7 }}{% raw %}",
        "</title></style><style>*{display:none}</style>",
        "javascript:alert(1)",
        "\x1b[31m\x00\u202e\ud800<b onclick=f()>x",
    ],
)
def test_nothing_of_a_student_becomes_html(attack):
    harmless, hostile = class_of((0, 0, 0), (2, 3, 5)), class_of((0, 0, 0), (2, 3, 5))
    hostile[0].student, hostile[0].reason = attack, attack
    hostile[0].messages = {"first": attack, attack: attack}
    harmless[0].reason, harmless[0].messages = "x", {"first": "x", "y": "x"}
    named = people(hostile) | {attack: Identity(attack)}
    text = page(analyse(hostile, MAX), hostile, named, title=attack.replace("\ud800", ""))
    text.encode("utf-8")
    soup = BeautifulSoup(text, "html.parser")
    # who has the name of their id is named once
    expected = [tag.name for tag in soup_of(harmless).find_all(True)]
    expected.remove("span")
    expected.remove("bdi")
    assert sorted(tag.name for tag in soup.find_all(True)) == sorted(expected)
    assert not [name for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert not set("\x1b\x00\u202e") & set(text)
    assert "49" not in soup.find(id="students").find_next("table").text


def test_the_page_needs_nothing_else():
    soup = soup_of(class_of((2, 3, 5), (0, 0, 0)))
    assert not soup.find_all(["script", "link", "img", "iframe", "object"])
    assert not soup.find_all(href=True) + soup.find_all(src=True)
    assert "url(" not in soup.style.text
    assert "@import" not in soup.style.text
    policy = soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_page_is_accessible():
    soup = soup_of(class_of((2, 3, 5), (0, 0, 0), (1, 1, 1)))
    assert soup.html["lang"] == "en"
    assert len(soup.find_all("h1")) == 1
    for table in soup.find_all("table"):
        assert table.caption.text
        columns = table.thead.find_all("th")
        assert all(head["scope"] == "col" for head in columns)
        for row in table.tbody.find_all("tr"):
            assert row.th["scope"] == "row"
            assert len(row.find_all(["th", "td"], recursive=False)) == len(columns)
    figure = soup.svg
    assert figure["role"] == "img"
    assert soup.find(id=figure["aria-labelledby"]).text == (
        "Histogram of 3 scores by tenths of the 10 points, lowest first: "
        "1, 0, 0, 1, 0, 0, 0, 0, 0, 1."
    )
    counts = [row.td.text for row in soup.figure.table.tbody.find_all("tr")]
    assert counts == ["1", "0", "0", "1", "0", "0", "0", "0", "0", "1"]
    names = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(names) == len(set(names))
    assert all(soup.find(id=tag["aria-labelledby"]) for tag in soup.select("[aria-labelledby]"))


def test_anonymous_names_nobody():
    results = class_of((2, 3, 5), (0, 0, 0))
    results[1].reason = "the kernel died"
    assert "Name of s001" in soup_of(results).text
    text = str(soup_of(results, anonymous=True))
    assert "Name of" not in text
    assert "s001" not in text
    assert "the kernel died" not in text
    assert "Histogram" in text


def test_endings_and_what_waits():
    results = class_of((2, 3, 0), (2, 0, 0), needs_manual=True) + class_of((2, 3, 5))
    soup = soup_of(results)
    endings = soup.find("table", {"aria-labelledby": "endings"})
    assert [row.text for row in endings.tbody.find_all("tr")] == [
        "needs manual grading2",
        "graded1",
    ]
    assert "Without a final grade – needs manual grading: 2." in soup.text
    assert "2 of 3 have a written answer that waits to be read" in soup.text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0.0, "0 %"), (1e-4, "<1 %"), (0.996, ">99 %"), (1.0, "100 %"), (0.005, "<1 %")],
)
def test_only_all_is_100_percent(share, text):
    assert percent(share) == text


def test_small_texts():
    assert decimals(-0.001) == "−0.00"
    assert shortened("abc", 3) == "abc"
    assert discrimination([0, 1, 2], [2, 1, 0], others=1) == (-1.0, "")


# In a browser


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The pages of a class of 10 and of one of 1,000, by their size."""
    folder = tmp_path_factory.mktemp("report")
    for size in (10, 1_000):
        rows = np.random.default_rng(0).integers(0, [3, 4, 6], (size, 3)).astype(float)
        results = class_of(*rows)
        for result in results[::3]:
            result.messages = {"first": f"got {result.score}: is the sign lost?"}
        results[5].status = results[5].reason = "timed out"
        html = page(analyse(results, MAX), results, people(results), title="toy")
        (folder / f"{size}.html").write_text(html, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def window(reports, browser):
    with visit(browser, reports.as_uri()) as there:
        yield there


@pytest.mark.browser
@pytest.mark.parametrize("size", [10, 1_000])
def test_a_page_opens_from_the_disk_and_asks_nobody(window, reports, size):
    shown = window.open(str(size))
    assert shown.locator("[aria-labelledby=students] tbody tr").count() == size
    assert (reports / f"{size}.html").stat().st_size < 10_000 + 1_000 * size
    assert window.outside == []
    assert window.complaints == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1200), ("dark", 1200), ("light", 360), ("dark", 360)]
)
def test_the_page_is_accessible_in_a_browser(window, theme, width):
    shown = window.open("10")
    assert problems(shown, theme, width) == []
    assert shown.evaluate("document.scrollingElement.scrollWidth") <= width
