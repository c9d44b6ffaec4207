"""The pictures of the documentation, from finished results: make pictures."""

from __future__ import annotations

import html
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from browser import Browser, browser

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs/images"
STUDY = "melanoma"  # whose first screen is shown
SCREEN = (1280, 842)  # pixels of the page
WIDTH = 760  # pixels of a figure
COLOURS = (128, 64, 32, 16)  # the most with which a picture is small enough
LARGEST = 150_000  # bytes
FIGURES = {
    "melanoma/explore/cases.png": "cases",
    "melanoma/figures/roc.svg": "roc",
    "melanoma/figures/chain.svg": "chain",
    "mhist/figures/reliability.svg": "reliability",
    "mhist/figures/votes.svg": "votes",
    "braintriage/explain/attention.png": "attention",
}


def main(results: Path) -> None:
    """Write the first screen of a study in the report, and some of the figures."""
    IMAGES.mkdir(exist_ok=True)
    with browser() as window:
        window.resize(*SCREEN)
        window.open(results / "report.html")
        window.run(f"document.getElementById({STUDY!r}).scrollIntoView({{behavior: 'instant'}})")
        save(window, "report")
        for source, name in FIGURES.items():
            figure(window, results / source, name)


def figure(window: Browser, path: Path, name: str) -> None:
    """A figure as a page of its own shows it."""
    image = f"<img src='{html.escape(path.resolve().as_uri())}' width='{WIDTH}'>"
    page = f"<!doctype html><body style='margin: 0; background: white'>{image}"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "page.html")
        place.write_text(page, encoding="utf-8")
        window.open(place)
        height = window.run("return Math.ceil(document.images[0].getBoundingClientRect().height)")
        window.resize(WIDTH, height)
        save(window, name)


def save(window: Browser, name: str) -> None:
    """What the window shows, in few colours."""
    shown = Image.open(io.BytesIO(window.screenshot())).convert("RGB")
    for colours in COLOURS:
        shown.quantize(colours).save(IMAGES / f"{name}.png", optimize=True)
        if (IMAGES / f"{name}.png").stat().st_size <= LARGEST:
            break


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results")
