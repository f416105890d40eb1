"""The page is well formed, self-contained, safe, complete, and the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from quantjax import lob
from quantjax.report import (
    SymbolReport,
    Throughput,
    TruthCheck,
    average_book_shape,
    book_report,
    depth_heatmap,
    write_book_report,
)
from quantjax.report.glossary import STATES, meaning
from quantjax.report.svg import inline_svg
from quantjax.report.tables import statistics

HOSTILE = "</title><script>alert('1')</script>&\"<b>"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Checks that tags are nested, and gathers attributes, identifiers and cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts = 0

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def named(report: SymbolReport, symbol: str, **options) -> SymbolReport:
    series = lob.BookSeries(report.series.time_ns, report.series.book, symbol, report.series.tick_size)
    if report.analysis is None:
        return SymbolReport(series, **options)
    fields = {name: getattr(report.analysis, name) for name in report.analysis.__dataclass_fields__}
    return SymbolReport(series, lob.BookAnalysis(**(fields | {"symbol": symbol})), **options)


@pytest.fixture(scope="module")
def arguments(report):
    symbols = [
        named(report("walk"), HOSTILE, truth=TruthCheck(100, 99), note="a <note>"),
        named(report("random"), "RAND", counts={"gap": 3}),
        named(report("no books"), "NONE"),
    ]
    return symbols, {
        "source": "a <source>",
        "counts": {"gap": 3, "repeated": 1234, f"repeated:{HOSTILE}": 1200, "malformed": 0},
        "explanations": {"gap": "updates <missing>"},
        "truth": TruthCheck(5_000, 5_000),
        "throughput": Throughput(1.2e7, 6e5, "a machine", "what was timed"),
        "notes": ["one & only"],
    }


@pytest.fixture(scope="module")
def page(arguments) -> str:
    symbols, parts = arguments
    return book_report(f"Books of {HOSTILE}", symbols, **parts)


def test_page_is_well_formed_and_refers_to_nothing_outside(page):
    reader = read(page)
    without_pictures = re.sub(r"data:image/png;base64,[^\"]*", "", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", without_pictures)
    for _, name, value in reader.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "action"):
            assert value.startswith(("#", "data:"))
        assert not name.startswith("on")


def test_identifiers_are_unique_and_links_meet_them(page):
    reader = read(page)
    identifiers = [value for _, name, value in reader.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    wanted = {value[1:] for _, name, value in reader.attributes if name.endswith("href") and value.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", page))
    assert wanted <= set(identifiers)


def test_hostile_names_are_only_text(page):
    assert read(page).scripts == 1
    assert "alert('1')</script>" not in page
    assert "&lt;/title&gt;&lt;script&gt;" in page
    for text in ("a <note>", "a <source>", "updates <missing>"):
        assert text not in page
        assert text in unescape(page)


def test_every_metric_has_a_row_and_a_meaning(page, report):
    frame = report("walk").analysis.to_pandas()
    for column in frame.columns:
        assert page.count(f"<code>{column}</code>") == 2
        assert meaning(column).text, column
        assert "{" not in meaning(column).text
    assert meaning("buy_unfilled_1e+06").text.startswith("Part of buying for 1\u202f000\u202f000")
    assert meaning("something_else").text == ""


def test_statistics_of_a_column_leave_nan_out():
    values = np.array([1.0, np.nan, 3.0, 2.0, np.inf, 4.0])
    np.testing.assert_allclose(statistics(values), [2.5, np.std([1, 2, 3, 4]), 1, 1.15, 2.5, 3.85, 4])
    assert np.isnan(statistics(np.array([np.nan]))).all()


def rows(page: str, name: str) -> list[str]:
    """The cells of the row that begins with `name`."""
    found = re.search(rf'<tr><th scope="row">{name}<small>.*?</small></th>(.*?)</tr>', page)
    assert found, name
    return [re.sub(r"<[^>]*>", " ", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", found.group(1))]


def test_counts_show_zeros_and_each_symbols_share(page):
    assert rows(page, "gap") == ["3", "0", "3", "0"]
    assert rows(page, "repeated") == ["1\u202f234", "1\u202f200", "0", "0"]
    assert rows(page, "malformed") == ["0", "0", "0", "0"]
    for state in STATES:
        assert len(rows(page, state.replace("_", " "))) == 3
    assert rows(page, "crossed")[2] == "0"


def test_agreement_and_speed_are_told(page):
    text = re.sub(r"<[^>]*>", "", page)
    assert "5\u202f000 books compared with the exchange&#x27;s own record: all equal" in text
    assert "1 differ (99\u202f% equal)" in text
    assert "20 × plain numpy" in text
    assert "12M books/s" in text
    assert "No books of this symbol were recorded" in text


def test_same_arguments_give_the_same_page(report):
    assert book_report("Title", [report("no books")]) == book_report("Title", [report("no books")])
    for draw in (depth_heatmap, average_book_shape):
        first, second = (inline_svg(draw(report("long gap").series), "figure") for _ in range(2))
        assert first == second


def test_page_is_small(page):
    assert len(page.encode()) < 1_000_000


@pytest.mark.parametrize("case", ["one-sided", "no books", "invalid"])
def test_pages_of_unusual_books(report, case):
    page = book_report("Unusual", [report(case)])
    read(page)
    assert "The source counts nothing" in page
    assert ">nan<" not in page.lower()


def test_report_is_written_whole(tmp_path, report):
    path = write_book_report(tmp_path / "new" / "report.html", "Title", [report("no books")], source="here")
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_wrong_arguments_are_refused(report):
    with pytest.raises(ValueError, match="at least one symbol"):
        book_report("Title", [])
    with pytest.raises(ValueError, match="each symbol once"):
        book_report("Title", [report("walk"), report("walk")])
    with pytest.raises(ValueError, match="0 <= equal <= compared"):
        TruthCheck(1, 2)
    with pytest.raises(ValueError, match="numpy_books_per_second > 0"):
        Throughput(1.0, 0.0)
    with pytest.raises(ValueError, match="expected the analysis"):
        SymbolReport(report("walk").series)
    with pytest.raises(ValueError, match="expected the analysis of 1 books"):
        SymbolReport(report("one book").series, report("walk").analysis)


def test_import_loads_no_matplotlib():
    code = "import sys, quantjax.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
