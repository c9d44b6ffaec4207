"""Time and size of the report.

python benchmarks/bench_report.py --folder FOLDER

FOLDER holds a finished run of the workflow. The report alone is made again, by Snakemake and by its
script; the rest is left as it is.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import bench

ROUNDS = 3
TARGETS = "15 s and 15 MB for five studies"


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
    bench.report("report", "Report", f"Targets: {TARGETS}.", bench.table(header, [row]))


if __name__ == "__main__":
    main()
