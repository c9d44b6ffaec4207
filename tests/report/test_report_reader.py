"""The report as its readers meet it, in a real browser: five questions, threshold, arms, paper."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import results_studies
import results_tree
from browser import CHROMIUM, DRIVER, MISSING, Browser, browser
from triage.files import read_json, read_rows

AXE = Path(__file__).parents[2] / ".browser" / "node_modules" / "axe-core" / "axe.min.js"
NO_AXE = "needs axe-core (npm install --prefix .browser --no-save axe-core)"
FEWEST_PAGES, MOST_PAGES = 4, 25  # of a study on paper
PAINT = 4000  # milliseconds to the first paint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING),
]
STUDIES = (results_studies.BRAIN, results_studies.CHEST, results_studies.SKIN)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    results_tree.write_all(folder, *STUDIES)
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> Path:
    return root / "results" / "report.html"


@pytest.fixture(scope="module")
def window(page: Path) -> Iterator[Browser]:
    with browser() as opened:
        opened.resize(1400, 900)
        opened.open(page)
        yield opened


def first_screen(window: Browser, study: str) -> str:
    """The text of a study that stands on the screen when it is opened at its beginning."""
    return str(
        window.run(
            """const study = document.getElementById(arguments[0]);
            study.scrollIntoView();
            const parts = [...study.querySelectorAll('h2, .question, dt, dd, tbody tr, caption')];
            return parts.filter(e => {
              const box = e.getBoundingClientRect(); return box.height && box.bottom <= innerHeight;
            }).map(e => e.innerText).join('\\n')""",
            study,
        )
    )


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_first_screen_answers_the_five_questions(
    window: Browser, root: Path, study: results_studies.Study
) -> None:
    text, tree = first_screen(window, study.name), results_tree.Tree(root, study)
    winner = read_json(tree.results / "winner.json")["arm"]
    assert re.search(rf"Best arm\s+{winner}, of 3 arms the best on validation", text)
    row = next(row for row in read_rows(tree.results / "table.csv") if row["arm"] == winner)
    value, low, high = (f"{float(row['roc_auc' + part]):.3f}" for part in ("", "_low", "_high"))
    assert re.search(rf"{winner} \(chosen\)\s+{value}\s+{low}\sto\s{high}", text), "how sure"
    assert re.search(
        r"ahead of the second best\?\s.*can't be told apart|it is (ahead|behind)", text
    )
    cases = len(read_rows(tree.split))
    assert re.search(rf"Data\s+{cases} cases of \d+ groups: \d+ for training", text)
    assert re.search(r"Is there leakage\?\s+None that can be found: no group, copy or near", text)
    assert re.search(r"What fails\?\s+(At its threshold|Of \d+ classes)", text)


def status(window: Browser, study: str) -> dict[str, str]:
    """What the part about thresholds says, by what it says it of."""
    found: dict[str, str] = window.run(
        """return Object.fromEntries([...document.querySelectorAll(
        `#${arguments[0]} .threshold [data-is]`)].map(e => [e.dataset.is, e.textContent]))""",
        study,
    )
    return found


def slide(window: Browser, study: str, script: str) -> None:
    slider = f"document.querySelector('#{study} .threshold [type=range]')"
    window.run(f"const s = {slider}; s.value = {script}; s.dispatchEvent(new Event('input'))")


def test_a_threshold_that_is_moved_shows_what_it_decides(window: Browser, root: Path) -> None:
    tree = results_tree.Tree(root, results_studies.BRAIN)
    at = status(window, "braintriage")
    assert "the stored one" in at["told"]
    arm = read_json(tree.results / "winner.json")["arm"]
    runs = [read_json(path) for path in tree.runs(f"metrics/{arm}/*.json")]
    points = [run["partitions"]["test"]["operating_points"]["youden"]["confusion"] for run in runs]
    names = ("true_positive", "false_negative", "false_positive", "true_negative")
    shown = [int(at[key]) for key in ("hit", "missed", "alarm", "spared")]
    assert shown in [[point[name] for name in names] for point in points]

    slide(window, "braintriage", "s.max")
    most = status(window, "braintriage")
    assert (most["hit"], most["alarm"]) == ("0", "0")
    assert "a threshold chosen here is no result" in most["told"]
    assert most["positive"].startswith("undefined")
    slide(window, "braintriage", "0")
    assert (status(window, "braintriage")["missed"], most["specificity"][:5]) == ("0", "1.000")
    window.run("document.querySelector('#braintriage .threshold button').click()")
    assert status(window, "braintriage") == at


def test_predictive_values_follow_the_prevalence(window: Browser) -> None:
    window.run("document.querySelector('#braintriage .threshold button').click()")
    field = "const p = document.querySelector('#braintriage .threshold [type=number]');"
    window.run(field + "p.value = 10; p.dispatchEvent(new Event('input'))")
    shown = status(window, "braintriage")
    numbers = {key: float(shown[key].split()[0]) for key in ("sensitivity", "specificity")}
    hits, alarms = 0.1 * numbers["sensitivity"], 0.9 * (1 - numbers["specificity"])
    assert float(shown["positive"].split()[0]) == pytest.approx(hits / (hits + alarms), abs=0.02)


@pytest.mark.parametrize(("study", "classes"), [("xray_heads", 3), ("skin", 4)])
def test_each_class_has_its_thresholds(window: Browser, study: str, classes: int) -> None:
    choice = f"const c = document.querySelector('#{study} .threshold select');"
    assert window.run(choice + "return c.length") == classes
    window.run(choice + "c.selectedIndex = 1; c.dispatchEvent(new Event('change'))")
    shown = status(window, study)
    assert shown["class"] == window.run(choice + "return c.value")
    assert ("likeliest" in shown["told"]) == (study == "skin")


def test_an_arm_that_is_left_out_fades_in_pictures_and_goes_from_tables(window: Browser) -> None:
    source = (
        "return [...document.querySelectorAll('#braintriage figure img')]"
        ".find(i => i.dataset.name === 'roc').src"
    )
    box = "const b = document.querySelector('#braintriage .arms [value=lstm]');"
    row = (
        "const t = document.getElementById('braintriage-results').closest('table');"
        "return [...t.tBodies[0].rows].find(r => r.textContent.trim().startsWith('lstm')).hidden"
    )
    before = window.run(source)
    window.run(box + "b.click()")
    assert "opacity%3D'0.08'" in window.run(source)
    assert window.run(row) is True
    window.run(box + "b.click()")
    assert "opacity%3D'0.08'" not in window.run(source)
    assert window.run(source) == before
    assert window.run(row) is False


def test_pictures_and_tables_can_be_saved(page: Path) -> None:
    with browser() as opened:
        opened.open(page)
        opened.run(
            """window.saved = [];
            HTMLAnchorElement.prototype.click = function () {
              saved.push([this.download, this.href.slice(0, 22)]); };
            const small = document.querySelector('#braintriage img[data-name=roc]');
            small.click();
            return document.querySelector('dialog img').decode()"""
        )
        opened.run("document.querySelector('dialog [type=button]').click()")
        assert opened.run("return document.querySelector('dialog a').download") == (
            "braintriage-roc.svg"
        )
        opened.run("document.querySelector('#braintriage .save').click()")
        png, table = opened.run("return saved")
        assert png == ["braintriage-roc.png", "data:image/png;base64,"]
        assert table[0].endswith(".csv")
        assert table[1].startswith("data:text/csv")
        assert opened.messages() == []


def test_columns_fit_and_say_how_many_there_are(window: Browser) -> None:
    wide = """return [...document.querySelectorAll('.study .scroll')].filter(e =>
        e.clientWidth && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 40))"""
    assert window.run(wide) == []
    shown = "return document.querySelector('#braintriage .choice summary').textContent"
    assert re.fullmatch(r"\d+ of \d+ columns shown", window.run(shown))


def test_what_is_sought_is_found_in_closed_parts_too(window: Browser) -> None:
    field = "const f = document.querySelector('.search input');"
    window.run(field + "f.value = 'truncated <b>'; f.dispatchEvent(new Event('input'))")
    window.run("document.querySelector('#found button').click()")
    assert "truncated <b>file</b>" in window.run("return document.activeElement.textContent")
    assert window.run("return document.activeElement.closest('details').open")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(page: Path, dark: bool) -> None:
    if not AXE.exists():
        pytest.skip(NO_AXE)
    with browser() as opened:
        opened.dark(dark)
        opened.resize(1400, 900)
        opened.open(page)
        opened.run(AXE.read_text(encoding="utf-8"))
        found = opened.run("return axe.run().then(result => result.violations)")
        serious = [told(each) for each in found if each["impact"] in ("serious", "critical")]
        assert serious == []


def told(violation: dict[str, Any]) -> str:
    nodes = violation["nodes"]
    return f"{violation['id']}: {len(nodes)}, such as {nodes[0]['html'][:200]}"


def test_few_stops_of_the_tab_key_lead_through_a_study(window: Browser) -> None:
    stops = """return [...document.querySelectorAll(
        '#braintriage :is(a, button, input, select, summary, [tabindex])')].filter(
        e => e.tabIndex >= 0 && e.checkVisibility()).length"""
    assert window.run(stops) < 90


def test_a_study_takes_few_pages_of_paper(page: Path, tmp_path: Path) -> None:
    assert CHROMIUM
    target = tmp_path / "report.pdf"
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={target}")
    subprocess.run([CHROMIUM, *options, page.as_uri()], check=True, capture_output=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))
    assert FEWEST_PAGES * len(STUDIES) <= pages <= MOST_PAGES * len(STUDIES)


def test_the_first_paint_is_soon(page: Path) -> None:
    with browser() as opened:
        opened.open(page)
        paints = (
            "return performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
        )
        (first,) = opened.run(paints)
        assert first < PAINT
