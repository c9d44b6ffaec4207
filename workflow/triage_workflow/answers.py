"""answers.yaml: what only the authors of a study can say, for its model card and checklist."""

from __future__ import annotations

from pathlib import Path

from triage_workflow.params.reading import read

from triage.settings import convert

FILE = Path("answers.yaml")


def of(study: str) -> dict[str, str]:
    """The authors' answers for a study, by topic; empty where there are none."""
    return by_study().get(study) or {}


def by_study() -> dict[str, dict[str, str] | None]:
    """All answers. Raises UserError where the file holds anything but texts by study and topic."""
    content = read(FILE) if FILE.exists() else None
    return convert(dict[str, dict[str, str] | None], content or {}, str(FILE))
