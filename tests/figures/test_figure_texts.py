"""Texts of pictures are readable: long names fit, and what is shown is said."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

import results_studies
import results_tree
from figure_settings import SETTINGS, member
from triage.data.image_store import Images
from triage.figures import data, results, runs, style, subsets
from triage.figures.panels import Panel
from triage.figures.settings import Compared, ExploreSettings


def assert_readable(figure: Figure) -> None:
    """Nothing is cut off at the edge, and neither titles nor counts lie over each other."""
    style.fit_titles(figure)
    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    bold = [text for text in figure.findobj(Text) if text.get_weight() == "bold"]
    for texts in (bold, *(ax.texts for ax in figure.axes), figure.texts + bold):
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


LONG = {"resnet18_pretrained_accumulated_best": 0.1, "lstm_search_width12_rate0_001": 0.2, "b": 0.3}


@pytest.fixture(scope="module")
def long_named(tmp_path_factory: pytest.TempPathFactory) -> results_tree.Tree:
    """A study whose arms have long names."""
    tree = results_tree.Tree(tmp_path_factory.mktemp("long"), results_studies.LESIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results_tree, "ARMS", LONG)
        results_tree.write_data(tree)
        results_tree.write_runs(tree)
    return tree


def drawn(tree: results_tree.Tree, partition: str) -> Iterator[tuple[str, Figure]]:
    """The pictures of a study's results on a partition, by name."""
    metrics, folders = tree.runs("metrics/*/*.json"), tree.runs("predictions/*/*")
    found = runs.read_results(metrics, folders, [tree.split], tree.results / "winner.json")
    assert found is not None
    assert found.partition == partition
    sources = results.Sources(
        results=found,
        histories=tree.runs("training/*/*/history.csv"),
        slices=tree.runs("predictions/*/*/slices.csv"),
        images=Images.open(**tree.images()),
        parts=tree.parts,
        settings=replace(
            SETTINGS, classes=tree.study.classes, compared=Compared(tuple(LONG), {}, {})
        ),
    )
    names = [name for name in results.NAMES if name not in ("search", "balancing", "findings")]
    with style.styled():
        for target, figure in results.draw(sources, map(Path, names)):
            yield target.stem, figure


def test_long_names_of_arms_fit(long_named: results_tree.Tree) -> None:
    for name, figure in drawn(long_named, "test"):
        assert_readable(figure)
        words = [text.get_text().replace("\n", "") for text in figure.findobj(Text)]
        if name in ("curves", "roc", "confusion", "seeds", "chain"):
            assert all(any(word.startswith(arm) for word in words) for arm in LONG), name
        assert style.ON_VALIDATION not in words


def test_results_on_validation_say_so(long_named: results_tree.Tree, tmp_path: Path) -> None:
    tree = results_tree.Tree(tmp_path, long_named.study)
    shutil.copytree(long_named.root, tmp_path, dirs_exist_ok=True)
    for path in tree.runs("predictions/*/*/test.csv"):
        path.write_text("case,class,label,logit,probability\n")
    for name, figure in drawn(tree, "val"):
        told = [text for text in figure.texts if text.get_text() == style.ON_VALIDATION]
        assert bool(told) == (name not in results.OF_TRAINING), name
        assert_readable(figure)
        assert figure.axes or name == "slices", "the chosen arm makes mistakes"
        lowest = [text.get_window_extent().y0 for text in told]
        tops = [ax.get_window_extent().y1 for ax in figure.axes]
        assert min(lowest, default=1e9) >= max(tops, default=0)


def test_many_classes_with_long_names_fit(long_named: results_tree.Tree) -> None:
    classes = tuple(f"Pleural_Thickening_of_kind_{i}" for i in range(16))
    row = {"attributes": '{"age": "40"}', "votes": ""}
    cases = tuple(
        row | {"case": f"{i}{part}", "label": label, "partition": part}
        for i, label in enumerate(classes * 3)
        for part in data.PARTITIONS
    )
    settings = ExploreSettings(classes, 4, 1, pseudonyms=False)
    study = data.Study(cases, Images.open(**long_named.images()), ("grey",), settings)
    arm = runs.Arm("a", (member([0, 1, 1, 0], [0.2, 0.4, 0.6, 0.8]),))
    shown = [Panel(arm, 0, name, ("absent", "present"), "test") for name in classes]
    with style.styled():
        for figure in (data.counts(study), subsets.findings(shown, SETTINGS)):
            assert_readable(figure)
            labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
            assert labels == list(classes)


@given(st.text("ab_ ", min_size=1, max_size=40), st.floats(0.2, 3))
def test_a_text_is_broken_into_lines_that_fit(words: str, inches: float) -> None:
    lines = style.wrapped(words, inches, 8).split("\n")
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    for line in lines:
        breakable = line[:-1].replace(" ", "_").count("_")
        assert not breakable or style.width(line, 8) <= inches
