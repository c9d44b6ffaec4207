"""The report in a browser: whole, quiet, without a network, by keyboard, on a phone, on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import results_studies
import results_tree
from browser import CHROMIUM, DRIVER, ENTER, ESCAPE, MISSING, Browser, browser

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results_tree.write_all(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def window(page: Path) -> Iterator[Browser]:
    with browser() as opened:
        opened.open(page)
        yield opened


def test_it_needs_no_network_and_has_nothing_to_complain_of(window: Browser) -> None:
    assert window.messages() == []
    asked = {address.split(":")[0] for address in window.requests()}
    assert asked <= {"file", "data"}


def test_every_picture_is_loaded(window: Browser) -> None:
    widths = window.run(
        """const pictures = [...document.querySelectorAll('figure img')];
        for (const each of pictures) each.loading = 'eager';
        return Promise.all(pictures.map(each => each.decode().then(() => each.naturalWidth)))"""
    )
    drawn = [name for name in results_studies.BRAIN.pictures if "twins" not in name]  # has none
    assert len(widths) == len(drawn)
    assert all(width > 300 for width in widths)


def test_text_of_data_stays_text(window: Browser) -> None:
    assert window.run("return document.querySelectorAll('td b, td em').length") == 0
    assert "truncated <b>file</b>" in window.run("return document.body.textContent")


def test_a_table_is_sorted_by_keyboard(window: Browser) -> None:
    table = "const t = document.getElementById('braintriage-results').closest('table');"
    arms = table + "return [...t.tBodies[0].rows].map(r => r.cells[0].firstChild.textContent)"
    order = table + "return t.tHead.rows[0].cells[3].ariaSort"
    auc = table + "return [...t.tBodies[0].rows].map(r => +r.cells[3].dataset.value)"
    before = window.run(arms)
    window.run(table + "t.tHead.rows[0].cells[3].firstChild.focus()")
    window.press(ENTER)
    assert (window.run(order), window.run(auc)) == ("ascending", sorted(window.run(auc)))
    window.press(ENTER)
    assert (window.run(order), window.run(auc)) == ("descending", sorted(window.run(auc))[::-1])
    window.press(ENTER)
    assert (window.run(order), window.run(arms)) == (None, before)


def test_a_picture_is_enlarged_and_put_away_by_keyboard(window: Browser) -> None:
    window.run("document.querySelector('.enlarge').focus()")
    window.press(ENTER)
    shown = (
        "const d = document.querySelector('dialog'); return [d.open, d.querySelector('img').alt]"
    )
    opened, words = window.run(shown)
    assert opened
    assert words.startswith("Cases by partition. All cases: train ")
    window.press(ESCAPE)
    assert window.run(shown)[0] is False
    assert window.run("return document.activeElement.className") == "enlarge"


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_the_screen(window: Browser, width: int) -> None:
    window.resize(width, 800, mobile=width < 600)
    assert window.run("return document.documentElement.scrollWidth") <= width


def test_it_can_be_printed(window: Browser) -> None:
    paper = window.printed()
    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) > 3


def test_every_control_and_picture_has_a_name(window: Browser) -> None:
    unnamed = """return [...document.querySelectorAll('button, a, summary')].filter(
        e => !(e.ariaLabel || e.textContent.trim())).length
        + [...document.querySelectorAll('figure img')].filter(i => !i.alt).length"""
    assert window.run(unnamed) == 0
    assert window.run("return document.documentElement.lang") == "en"


def test_it_says_first_that_the_data_is_generated(window: Browser) -> None:
    text = window.run("return document.querySelector('main').innerText")
    place = text.index("Generated data.")
    assert place < text.index("Cases by class and partition") < text.index("Pictures of the data")


def test_arms_are_filtered_in_every_table(window: Browser) -> None:
    rows = (
        "const t = document.getElementById('braintriage-results').closest('table');"
        "return [...t.tBodies[0].rows].filter(r => !r.hidden)"
        ".map(r => r.cells[0].firstChild.textContent)"
    )
    field = "const f = document.querySelector('.filter');"
    everything = window.run(rows)
    window.run(field + "f.value = 'LSTM'; f.dispatchEvent(new Event('input'))")
    assert window.run(rows) == ["zero_rate", "lstm"]
    window.run(field + "f.value = ''; f.dispatchEvent(new Event('input'))")
    assert window.run(rows) == everything
