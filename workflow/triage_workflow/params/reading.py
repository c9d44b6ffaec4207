"""YAML as DVC reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from triage import yaml_text
from triage.errors import UserError
from triage.files import plain


class _Loader(yaml.CSafeLoader):
    """Refuses a key that stands twice in a block, of which others would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} stands twice in one block", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(text: str) -> Any:
    """What YAML text holds. Raises yaml.YAMLError, also for a key that stands twice."""
    return yaml_text.parse(text, _Loader)


def read(path: Path) -> Any:
    """What a YAML file holds. Raises UserError where it is missing, or is no such file."""
    try:
        return load(plain(Path(path)).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError("is not there", where=path) from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid YAML: {error}", where=path) from error
