"""The page of a report: whole, self-contained, private; and the table that says the same in a terminal."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.reports import VERSION, report
from training.fidelity.charts import Mark, _ticks, dots
from training.fidelity.page import page, write_page
from training.fidelity.rows import applying, written
from training.fidelity.tables import show
from twin.errors import DatasetError

VOID = {"meta", "br", "link", "img", "hr", "input", "circle", "line"}


class Reader(HTMLParser):
    """What is in a page; fails when tags do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_needs_nothing_from_any_other_place():
    text = page(report("other make"))
    found = read(text)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", text)
    assert not {tag for tag, _ in found.tags} & {"link", "script", "img", "iframe", "object", "embed", "base"}
    assert not [name for _, attributes in found.tags for name in attributes if name in ("src", "href", "srcset")]


def test_the_page_holds_every_number_picture_and_sample():
    made = report("other make")
    found = read(page(made))
    text = " ".join(" ".join(found.text).split())
    assert VERSION in text and "This page holds messages" in text and "Its file can be read by you alone" in text
    for row in applying(made):
        assert row.title.strip() in text and row.good in text
        assert all(row.text(system) in text for system in made.systems)
    pictures = [attributes["aria-label"] for tag, attributes in found.tags if tag == "svg"]
    assert {"Fidelity", "Taken for you", "Context fit", "Copies more than you", "Style divergence"} <= set(pictures)
    assert {"message length", "bubbles per turn", "laughter"} <= set(pictures) and len(pictures) >= 15
    moments = [attributes for tag, attributes in found.tags if attributes.get("class") == "moment"]
    assert len(moments) == 20 and text.count("you, really") >= 20


def test_what_people_wrote_cannot_break_the_page():
    evil = '</div><script>alert("&amp;")</script>\n{{ 7 * 7 }} <!-- ${x} тест 测试 😀'
    found = read(page(report("<b>make</b> & sons", samples=2, said=evil)))
    assert not {tag for tag, _ in found.tags} & {"script", "b>make"}
    assert evil in "".join(found.text) and "49 <!--" not in "".join(found.text)


def test_a_void_measure_says_why_it_says_nothing():
    why = "a wrong person is too near"
    text = " ".join("".join(read(page(report(void=why))).text).split())
    assert f"Fidelity says nothing here: {why}." in text and text.count("says nothing here") == 1
    assert "Fidelity says nothing here: a wrong person is too near." in shown(report(void=why))


def test_the_file_is_its_owners_alone_and_written_whole(tmp_path: Path):
    path = tmp_path / "out.html"
    path.write_text("before")
    path.chmod(0o644)
    write_page(report(), path)
    assert oct(path.stat().st_mode)[-3:] == "600" and path.read_text().rstrip().endswith("</html>")
    with pytest.raises(DatasetError, match="cannot be written"):
        write_page(report(), tmp_path / "none" / "out.html")
    assert [found.name for found in tmp_path.iterdir()] == ["out.html"]


def shown(made, samples: int = 1, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(made, console, samples)
    return console.file.getvalue()


def test_the_table_explains_every_row_to_a_newcomer():
    made = report("other make")
    told = " ".join(shown(made, width=400).split())
    for row in applying(made):
        assert row.title.strip() in told and row.good in told
    assert "0.45" in told and "±0.05" in told and f"Twin {VERSION} on 40 moments" in told
    assert "The same moment, and what each answered" in told and "hey other make" in told
    assert "The same moment" not in shown(made, samples=0)


def test_markup_in_messages_and_names_is_shown_as_it_is():
    told = shown(report("[red]make[/red]", said="[bold]hey[/bold] [/]"), width=400)
    assert "[bold]hey[/bold] [/]" in told and "[red]make[/red]" in told


numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(numbers, numbers), max_size=6), st.booleans())
def test_every_dot_stands_within_the_picture_in_order(pairs, percent):
    marks = [Mark("label", min(one, two), min(one, two), max(one, two), "x", "#000", False) for one, two in pairs]
    picture = dots(marks, "title", percent)
    read(picture)
    width = float(re.search(r'viewBox="0 0 (\d+)', picture)[1])  # type: ignore[index]
    places = [float(x) for x in re.findall(r'cx="([-\d.]+)"', picture)]
    assert len(places) == len(marks) and all(0 <= x <= width for x in places)
    for one, x in zip(marks, places, strict=True):
        assert all(y >= x - 0.2 for other, y in zip(marks, places, strict=True) if other.value >= one.value)


@given(numbers, st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_hold_both_ends(low, span):
    ticks = _ticks(low, low + span)
    assert ticks[0] <= low + 1e-6 * span + 1e-9 and ticks[-1] >= low + span - 1e-6 * span - 1e-9
    assert 2 <= len(ticks) <= 8


def test_a_mark_without_a_number_has_a_line_and_no_dot():
    picture = dots([Mark("nobody", float("nan"), float("nan"), float("nan"), "–", "#000")], "title")
    assert "nobody" in picture and "<circle" not in picture


def test_numbers_are_written_as_people_read_them():
    assert written(0.453, "ratio") == "0.45" and written(-0.0012, "signed") == "-0.001"
    assert [written(share, "percent") for share in (0, 0.004, 0.25, 1)] == ["0%", "0.4%", "25%", "100%"]
    assert written(0.0234, "points") == "+2.3" and written(float("nan"), "bits") == "–"
