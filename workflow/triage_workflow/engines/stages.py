"""The stages of dvc.yaml, as far as the workflow has to know them: which paths each makes."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from triage.errors import UserError
from triage.files import plain

STAGES = Path("dvc.yaml")
_OUTS = ("outs", "metrics", "plots")
_STUDY = re.escape("${key}")


@dataclass(frozen=True)
class Stage:
    """A stage of one study, or of none (an empty study)."""

    name: str
    study: str

    @property
    def address(self) -> str:
        """As DVC calls it."""
        return f"{self.name}@{self.study}" if self.study else self.name


class Stages:
    """Finds the stage that makes a path."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.names = list(content.get("stages", {}))
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        for name, block in content.get("stages", {}).items():
            declared = block["do"] if "foreach" in block else block
            for out in itertools.chain.from_iterable(declared.get(kind, []) for kind in _OUTS):
                path = re.escape(next(iter(out)) if isinstance(out, dict) else out)
                pattern = path.replace(_STUDY, "(?P<study>[^/]+)", 1)
                self._patterns.append((name, re.compile(f"{pattern}(/.*)?")))

    @classmethod
    def read(cls, path: Path = STAGES) -> Stages:
        """The stages in a file. Raises UserError where it can't be read."""
        try:
            text = plain(path).read_text(encoding="utf-8")
            return cls(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {})
        except FileNotFoundError:
            return cls({})
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserError(f"can't be read ({error})", where=path) from error

    def of(self, path: str) -> Stage | None:
        """The stage that makes a path, if one does."""
        for name, pattern in self._patterns:
            if match := pattern.fullmatch(path):
                return Stage(name, match.groupdict().get("study", ""))
        return None
