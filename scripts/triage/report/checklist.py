"""A checklist of what a publication reports: what a run knows, and what the author answers.

It has the items of CLAIM (2024 update) and TRIPOD+AI (2024) in our words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from triage.errors import UserError, nearest
from triage.report.sections import Section

FROM_RUN, ANSWERED, OPEN = "from the run", "answered", "open"
FIELD = re.compile(r"\{(\w+)\}")

Json = Mapping[str, Any]


def checklist(
    guidelines: Json, facts: Mapping[str, str], answers: Mapping[str, str]
) -> list[Section]:
    """A section a guideline: each item, what fills it, and whether it is answered or open.

    ``answers`` are the author's by topic. Raises UserError for a topic that no item asks for, and
    for a fact that there is not.
    """
    items = [item for guideline in guidelines.values() for item in guideline["items"]]
    _check_topics(answers, {item["ask"]: None for item in items if "ask" in item})
    return [
        _section(name, guideline["note"], guideline["items"], facts, answers)
        for name, guideline in guidelines.items()
    ]


def answer(topic: str, answers: Mapping[str, str]) -> str:
    """The author's answer, or that it is open."""
    return answers.get(topic) or f"Open: the author's answer in answers.yaml, {topic}."


def _section(
    name: str,
    note: str,
    items: Sequence[Json],
    facts: Mapping[str, str],
    answers: Mapping[str, str],
) -> Section:
    states = [_state(item, answers) for item in items]
    counts = Counter(states)
    share = (
        f"Of {len(items)} items {counts[FROM_RUN]} are filled from the run, {counts[ANSWERED]} are "
        f"answered by the author, and {counts[OPEN]} are open."
    )
    rows = tuple(
        (str(item["number"]), item["item"], _filled(item, facts, answers), state)
        for item, state in zip(items, states, strict=True)
    )
    return Section(name, (note, share), ("item", "what to report", "here", "state"), rows)


def _state(item: Json, answers: Mapping[str, str]) -> str:
    if "ask" not in item:
        return FROM_RUN
    return ANSWERED if answers.get(item["ask"]) else OPEN


def _filled(item: Json, facts: Mapping[str, str], answers: Mapping[str, str]) -> str:
    """What an item says here."""
    text = str(item.get("here", ""))
    if unknown := sorted(set(FIELD.findall(text)) - facts.keys()):
        raise UserError(
            f"there is no fact {unknown[0]!r}",
            where=f"checklist, item {item['number']}",
            remedy=f"known are {', '.join(facts)}",
        )
    own = answer(item["ask"], answers) if "ask" in item else ""
    return f"{text.format(**facts)} {own}".strip()


def _check_topics(answers: Mapping[str, str], topics: Mapping[str, None]) -> None:
    for topic in answers:
        if topic not in topics:
            raise UserError(
                f"{topic!r} is no topic",
                where="answers.yaml",
                remedy=f"{nearest(topic, topics)}topics are {', '.join(topics)}",
            )
