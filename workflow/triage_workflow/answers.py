"""answers.yaml: what only the authors of a study can say, for its model card and checklist."""

from __future__ import annotations

from pathlib import Path

from triage_workflow.params.reading import read

from triage.errors import UserError

FILE = Path("answers.yaml")


def of(study: str) -> dict[str, str]:
    """The authors' answers for a study, by topic; empty where there are none.

    Raises UserError where the file holds anything but texts by study and topic.
    """
    if not FILE.exists():
        return {}
    content = read(FILE) or {}
    blocks = content if isinstance(content, dict) else {"": content}
    for name, block in blocks.items():
        answers = block or {}
        if not isinstance(answers, dict) or not all(
            isinstance(text, str) for text in answers.values()
        ):
            raise UserError(
                "is no block of texts",
                where=f"{FILE}: {name}",
                remedy='write a study, below it topics: `ethics: "approved by ..."`',
            )
    return dict(blocks.get(study) or {})
