"""Where a run shows how far it is: a bar on a terminal, or plain lines in a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TextIO

from triage.durations import duration

_SHOWN = 8  # running jobs; a cluster runs a hundred


def is_terminal(stream: TextIO) -> bool:
    """Whether lines can be written over, which a pipe, a file and a dumb terminal can't."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


class Lines:
    """A line a job that has ended, without control characters."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def say(self, text: str, style: str = "") -> None:
        """Write some lines."""
        print(text, file=self._stream, flush=True)

    def advance(self, done: int, total: int, text: str) -> None:
        """Tell of a job that has ended."""
        if text:
            self.say(f"[{done}/{total}] {text}")

    def end(self) -> None:
        """Nothing is left to tidy."""


class Bar(Lines):
    """One bar for the whole run, and below it the jobs that run.

    ``running`` gives their titles with the seconds that they have run, ``left`` the seconds to go.
    A thread of the bar calls both.
    """

    def __init__(
        self,
        stream: TextIO,
        is_plain: bool,
        total: int,
        running: Callable[[], Mapping[str, float]],
        left: Callable[[], float | None],
    ) -> None:
        super().__init__(stream)
        # Takes 0.1 s to import, which only who looks at it has to wait for.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.text import Text

        class Whole(Progress):
            def get_renderables(self) -> Iterable[object]:  # type: ignore[override]
                seconds = left()
                shown = f"about {duration(seconds)} left" if seconds and seconds >= 1 else ""
                for task in self.tasks:
                    task.fields["left"] = shown
                yield self.make_tasks_table(self.tasks)
                jobs = running()
                for title, passed in list(jobs.items())[:_SHOWN]:
                    line = f"  {title}, {duration(passed)}"
                    yield Text(line, style="dim", no_wrap=True, overflow="ellipsis")
                if len(jobs) > _SHOWN:
                    yield Text(f"  and {len(jobs) - _SHOWN} more", style="dim")

        self._console = Console(
            file=stream,
            force_terminal=True,
            no_color=is_plain or None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("jobs  {task.fields[left]}"))
        self._progress = Whole(
            *columns, console=self._console, refresh_per_second=2, transient=True
        )
        self._task = self._progress.add_task("", total=total, left="")
        self._progress.start()

    def say(self, text: str, style: str = "") -> None:
        """Write some lines above the bar."""
        self._console.print(text, style=style or None)

    def advance(self, done: int, total: int, text: str) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total)

    def end(self) -> None:
        """Take the bar away."""
        self._progress.stop()
