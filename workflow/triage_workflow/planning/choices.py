"""Choices between readings: by an option, by the only candidate, by a person, never by silence."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from triage.errors import UserError, nearest

NONE = "none"


class Choices:
    """Answers that options gave, by name; what is not answered is asked, where a person is there.

    ``told`` has what was decided and why, for the summary.
    """

    def __init__(self, given: dict[str, str | None], asks: bool | None = None) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}
        self.asks = sys.stdin.isatty() if asks is None else asks

    def one(
        self, name: str, question: str, candidates: Sequence[str], allowed: Sequence[str]
    ) -> str | None:
        """The option ``--name``, or the only candidate, or what a person answers.

        None where there is no candidate, or none is wanted. Raises UserError where an option is
        none of ``allowed``, or there are several candidates and nobody to ask.
        """
        answer = self.given.get(name)
        if answer is None and len(candidates) < 2:
            return candidates[0] if candidates else None
        if answer is None and not self.asks:
            raise UserError(
                f"{question} {' or '.join(candidates)}",
                where="two readings are possible",
                remedy=f"say --{name} {candidates[0]} (or {', '.join([*candidates[1:], NONE])})",
            )
        if answer is None:
            answer = self._ask(question, candidates)
        if answer == NONE:
            return None
        if answer not in allowed:
            raise UserError(
                f"there is no {answer!r}",
                where=f"--{name}",
                remedy=f"{nearest(answer, allowed)}allowed are {', '.join([*allowed, NONE])}",
            )
        return answer

    def _ask(self, question: str, candidates: Sequence[str]) -> str:
        print(question)
        for number, each in enumerate([*candidates, NONE], start=1):
            print(f"  {number}  {each}")
        while True:
            answer = input("number: ").strip()
            if answer.isdigit() and 1 <= int(answer) <= len(candidates) + 1:
                return [*candidates, NONE][int(answer) - 1]
