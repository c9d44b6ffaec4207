"""A checklist of what a publication reports, filled with what a run knows.

It has the items of CLAIM (2024 update) and TRIPOD+AI (2024) in our words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from triage.errors import UserError
from triage.report.sections import Section

AUTHOR = "Author: to fill."
FIELD = re.compile(r"\{(\w+)\}")

Json = Mapping[str, Any]


def checklist(guidelines: Json, facts: Mapping[str, str]) -> list[Section]:
    """A section a guideline: each item, and what fills it. Raises UserError as ``_filled``."""
    return [
        Section(
            name,
            (guideline["note"], _share(guideline["items"])),
            ("item", "what to report", "here"),
            tuple(
                (str(item["number"]), item["item"], _filled(item, facts))
                for item in guideline["items"]
            ),
        )
        for name, guideline in guidelines.items()
    ]


def _share(items: Sequence[Json]) -> str:
    known = sum("here" in item for item in items)
    return f"{known} of {len(items)} items are filled from the run; the rest is the author's."


def _filled(item: Json, facts: Mapping[str, str]) -> str:
    """What an item says here. Raises UserError for a fact that there is not."""
    text = str(item.get("here", AUTHOR))
    if unknown := sorted(set(FIELD.findall(text)) - facts.keys()):
        raise UserError(
            f"there is no fact {unknown[0]!r}",
            where=f"checklist, item {item['number']}",
            remedy=f"known are {', '.join(facts)}",
        )
    return text.format(**facts)
