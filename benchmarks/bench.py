"""What every benchmark shares: interleaved timing, and its section of RESULTS.md.

A benchmark is a script ``bench_<name>.py``. It times contestants in turn, several rounds, so that
whatever else the machine does hits all alike; says medians, and ratios against a named one; and
writes ``results/<name>.md``, from which RESULTS.md is put together. A section can be measured anew
alone: ``make bench BENCH=<name>``.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Literal

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE / "RESULTS.md"
LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "snakemake", "dvc")


@dataclass
class Times:
    """What rounds of one contestant took, in seconds."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return median(self.wall)

    @property
    def processor_seconds(self) -> float:
        return median(self.processor)


def interleaved(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    before: Callable[[], object] = lambda: None,
) -> dict[str, Times]:
    """Time each contestant once a round, in an order that turns from round to round.

    ``before`` is called before each, outside of its time. Time on processors is
    that of this process and of those that it started and that have ended.
    """
    times = {name: Times() for name in contestants}
    order = list(contestants)
    for each in range(rounds):
        for name in order[each % len(order) :] + order[: each % len(order)]:
            before()
            started, busy = time.perf_counter(), _processor()
            contestants[name]()
            times[name].wall.append(time.perf_counter() - started)
            times[name].processor.append(_processor() - busy)
    return times


def usual_environment() -> dict[str, str]:
    """The environment, with compiled modules kept, as they are unless somebody forbids it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _processor() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def ratio(one: Times, other: Times, of: Literal["wall", "processor"] = "wall") -> float:
    """How many times as long ``one`` takes as ``other``: the median of the rounds' ratios.

    Time on processors is the steadier of the two where both have one thread and never wait.
    """
    pairs = zip(getattr(one, of), getattr(other, of), strict=True)
    return median(a / b for a, b in pairs)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; numbers are on the right, with three digits that count."""
    cells = [[_cell(value) for value in row] for row in rows]
    numbers = [all(_is_number(value) for value in column) for column in zip(*cells, strict=True)]
    rules = ["---:" if number else "---" for number in numbers]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rules, *cells])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").lstrip("-").isdigit()


def plot(
    name: str,
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    label: str,
    unit: str,
    scale: Literal["log", "linear"] = "log",
) -> None:
    """Draw lines over ``x`` into ``results/<name>.svg``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for title, values in lines.items():
        axes.plot(x, values, marker="o", label=title)
    axes.set(xscale=scale, yscale=scale, xlabel=label, ylabel=unit)
    if scale == "linear":
        axes.set(xlim=(0, None), ylim=(0, None))
    if len(lines) > 1:
        figure.legend(frameon=False, loc="outside right upper")
    RESULTS.mkdir(exist_ok=True)
    figure.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})


def report(name: str, title: str, *paragraphs: str) -> None:
    """Print a section, and make it ``name``'s part of RESULTS.md."""
    text = "\n\n".join([f"## {title}", *paragraphs, f"*{_circumstances(name)}*"])
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    assemble()


def assemble() -> None:
    """Put RESULTS.md together from the sections that are there."""
    head = (
        "# Benchmarks\n\n"
        "Written by the scripts of this folder. `make bench` measures all anew, `make bench"
        " BENCH=<name>` one section.\nContestants take turns within one run; times are medians,"
        " and ratios are medians of the rounds' ratios.\n"
    )
    sections = [path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("*.md"))]
    PAGE.write_text("\n".join([head, *sections]), encoding="utf-8")


def _circumstances(name: str) -> str:
    versions = []
    for library in LIBRARIES:
        if library.replace("scikit-learn", "sklearn") in sys.modules:
            versions.append(f"{library} {metadata.version(library)}")
    load = os.getloadavg()[0]
    return ", ".join(
        [
            f"`{name}`: {datetime.now(UTC):%Y-%m-%d}",
            hardware(),
            f"load {load:.1f} at the end",
            f"Python {platform.python_version()}",
            *versions,
        ]
    )


def hardware() -> str:
    """The processor, its cores and the memory of this machine."""
    return f"{_processor_name()}, {len(os.sched_getaffinity(0))} cores, {_memory():.0f} GiB"


def _processor_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    assemble()
