"""The networks that an arm is made of, each with the stages of training it went through.

An ensemble has several networks, and a network may have gone through several stages of training,
each an arm of its own with a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from triage.files import read_json

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One training: the record of an arm's run, and the stage that it went on from, if any."""

    arm: str
    record: Json
    origin: Stage | None

    @property
    def settings(self) -> Json:
        found: Json = self.record["settings"]
        return found

    @property
    def recipe(self) -> Json:
        found: Json = self.settings["recipe"]
        return found

    @property
    def from_features(self) -> bool:
        """Whether a sequence model was trained over cached features, without its slice network."""
        return self.settings["stage"] == "sequence" and self.settings["sequence"]["frozen"]

    @property
    def lineage(self) -> list[Stage]:
        """This stage and those before it, the first one last."""
        return [self, *(self.origin.lineage if self.origin else [])]

    @property
    def weights(self) -> int:
        """The weights of the whole network: a record has those of the part that was trained."""
        own = int(self.record["parameters"])
        return own + self.origin.weights if self.from_features and self.origin else own


@dataclass(frozen=True)
class Networks:
    """The networks that an arm is made of: the last stage of each, one a member of an ensemble."""

    last: tuple[Stage, ...]

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, each after the one that it went on from."""
        found: dict[str, Stage] = {}
        for stage in self.last:
            found |= {each.arm: each for each in reversed(stage.lineage)}
        return tuple(found.values())


def read_networks(
    paths: Iterable[Path], members: Iterable[str], origins: Mapping[str, str]
) -> Networks:
    """The networks of some runs, ``<arm>/<run>``, from the records of all: of each arm the first.

    ``origins`` has the arm that another one starts from.
    """
    found = {path.parts[-3:-1]: path for path in paths}
    first: dict[str, str] = {}
    for member in members:
        arm, _, run = member.partition("/")
        first.setdefault(arm, run)

    def stage(arm: str, run: str) -> Stage:
        origin = stage(origins[arm], run) if arm in origins else None
        return Stage(arm, read_json(found[arm, run]), origin)

    return Networks(tuple(stage(*each) for each in first.items()))
