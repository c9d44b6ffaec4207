"""Write the report: one page with everything in it, that opens from disk without a network."""

from __future__ import annotations

from pathlib import Path

from triage import command
from triage.files import write_text
from triage.report import page


def main(
    settings: page.ReportSettings, files: page.Files, texts: Path, template: Path, report: Path
) -> None:
    text = page.render(settings, files, texts, template)
    write_text(text, report)
    command.log.info("%s: %.1f MB", report, len(text.encode()) / 1e6)


if __name__ == "__main__":
    command.run(main)
