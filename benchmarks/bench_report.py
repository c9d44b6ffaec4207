"""Time and size of the report.

python benchmarks/bench_report.py --folder FOLDER

FOLDER holds a finished run of the workflow. The report alone is made again, by Snakemake and by its
script; the rest is left as it is.
"""

from __future__ import annotations

import argparse
import re
import runpy
import subprocess
import tempfile
from pathlib import Path

import bench

# The tests' own, which is in no package.
_BROWSER = runpy.run_path(str(bench.ROOT / "tests" / "helpers" / "browser.py"))
CHROMIUM, DRIVER, browser = (_BROWSER[name] for name in ("CHROMIUM", "DRIVER", "browser"))

ROUNDS = 3
TARGETS = "15 s, 15 MB and 4 s to the first paint for six studies, and 25 pages of paper a study"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--folder", type=Path, default=bench.ROOT, help="with a finished run")
    folder = options.parse_args().folder
    page = folder / "results" / "report.html"
    if not page.exists():
        print(f"{page} is not there: run the workflow first, or name another --folder")
        return
    studies = len(list((folder / "results" / "checksums").glob("*.txt")))
    whole = ["snakemake", "--cores", "1", "--forcerun", "report", "--", "results/report.html"]

    def make() -> None:
        subprocess.run(whole, cwd=folder, check=True, capture_output=True)

    (times,) = bench.interleaved({"report": make}, ROUNDS).values()
    pictures = page.read_text(encoding="utf-8").count("<figure>")
    row = (studies, pictures, times.seconds, times.processor_seconds, page.stat().st_size / 1e6)
    header = ("studies", "pictures", "seconds, with Snakemake's start", "on the processor", "MB")
    if CHROMIUM and DRIVER:
        row += (first_paint(page), printed(page) / studies)
        header += ("s to the first paint", "pages a study")
    bench.report("report", "Report", f"Targets: {TARGETS}.", bench.table(header, [row]))


def first_paint(page: Path) -> float:
    """Seconds until something of the page is seen."""
    with browser() as window:
        window.open(page)
        paint = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
        return float(window.run(paint)) / 1000


def printed(page: Path) -> int:
    """How many pages of paper it takes."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.pdf"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={target}"]
        command = [CHROMIUM, *options, page.resolve().as_uri()]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))


if __name__ == "__main__":
    main()
