"""The page: gathered from the files of all studies, and written by a template."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from triage.arguments import Arguments, Paths
from triage.errors import UserError
from triage.files import read_json, read_rows
from triage.report import decisions
from triage.report.data import Data, read_data
from triage.report.external import Elsewhere, elsewhere, read_externals
from triage.report.glance import Glance, glance
from triage.report.pictures import Caption, Picture, embed, read_captions
from triage.report.results import Measured, Results, read_metrics, read_results
from triage.report.runs import Run, read_runs, runs_table
from triage.report.sections import Section
from triage.report.seen import seen
from triage.report.tables import NONE, Cell, Table, count
from triage.report.words import Told
from triage.settings import convert

# Headings of the pictures, by the folder they lie in.
GROUPS = {
    "explore": "Pictures of the data",
    "figures": "Pictures of the results",
    "explain": "What the network sees",
}

ON_VALIDATION = (
    "on validation: no test case of the study is labelled. These cases had a part in choosing the "
    "model, so the value is too good."
)
SCRIPTS = ("report.js", "thresholds.js")
PAPERS = {"card": "Model card", "checklist": "Reporting checklist"}

Json = Mapping[str, Any]


@dataclass(frozen=True)
class StudySettings:
    """What the page reads of a study's settings; ``phantom``: its raw data is generated.

    ``pseudonyms``: cases are not called by their names.
    """

    name: str
    classes: tuple[str, ...]
    phantom: bool
    confidence: float
    pseudonyms: bool
    told: Told


@dataclass(frozen=True)
class ReportSettings:
    """The studies in the order of the page."""

    studies: tuple[StudySettings, ...]


@dataclass(frozen=True)
class Files(Arguments):
    """Everything that the page is made of; each path names its study."""

    manifests: Paths
    groups: Paths
    quarantines: Paths
    counts: Paths
    withdrawn: Paths
    consents: Paths
    splits: Paths
    tables: Paths
    cards: Paths
    metrics: Paths
    records: Paths
    figures: Paths
    captions: Paths
    external: Paths = ()
    external_tables: Paths = ()
    external_groups: Paths = ()
    external_manifests: Paths = ()
    shifts: Paths = ()


@dataclass(frozen=True)
class Study:
    """A study's part of the page; ``chosen``: what validation chose, where that is measured."""

    name: str
    title: str
    question: str
    phantom: bool
    pseudonyms: bool
    confidence: str
    data: Data
    glance: Glance
    results: Results
    chosen: str
    limits: tuple[str, ...]
    pictures: tuple[tuple[str, tuple[Picture, ...]], ...]
    runs: tuple[Run, ...]
    runs_table: Table
    papers: dict[str, tuple[Section, ...]]
    elsewhere: Elsewhere
    thresholds: Thresholds | None


@dataclass(frozen=True)
class Thresholds:
    """The steps of each class of the chosen arm's run, as JSON, and the deviations of intervals."""

    steps: str
    deviations: float


def render(settings: ReportSettings, files: Files, texts: Path, template: Path) -> str:
    """The page as HTML. All that comes from data is escaped by the template engine."""
    words = yaml.safe_load(texts.read_text(encoding="utf-8"))
    captions = read_captions(files.captions)
    studies = [_study(each, files, words, captions) for each in settings.studies]
    engine = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "".join(template.with_name(name).read_text(encoding="utf-8") for name in SCRIPTS)
    digest = hashlib.sha256(script.encode()).digest()
    return engine.get_template(template.name).render(
        studies=studies,
        overview=_overview(studies),
        script=Markup(script),  # our own, and the only one that the page's policy allows
        script_digest=base64.b64encode(digest).decode("ascii"),
    )


def _study(
    settings: StudySettings, files: Files, words: dict[str, Any], captions: dict[str, Caption]
) -> Study:
    name = settings.name
    metrics, records = _of(name, files.metrics), _of(name, files.records)
    runs, measured = read_runs(metrics, records), read_metrics(metrics)
    results = read_results(
        _one(name, files.tables), measured, "generated data" if settings.phantom else ""
    )
    data = read_data(
        _one(name, files.manifests),
        _one(name, files.groups),
        _one(name, files.splits),
        _one(name, files.quarantines),
        _one(name, files.counts),
        _one(name, files.withdrawn),
        _one(name, files.consents),
        settings.classes,
        settings.pseudonyms,
    )
    generated = words["generated"] if settings.phantom else []
    outside = elsewhere(
        read_externals(_of(name, files.external), _of(name, files.shifts)),
        [row for path in _of(name, files.external_tables) for row in read_rows(path)],
        Measured(measured, results.partition),
        _of(name, files.external_groups),
        _of(name, files.external_manifests),
        settings.pseudonyms,
    )
    rows, found = read_rows(_one(name, files.tables)), Measured(measured, results.partition)
    first = glance(rows, found, data, settings.confidence)
    told = seen(rows, found, results.winner, data.counts)
    return Study(
        name=name,
        title=settings.told.title,
        question=settings.told.question,
        phantom=settings.phantom,
        pseudonyms=settings.pseudonyms,
        confidence=f"{settings.confidence:.0%}",
        data=data,
        glance=replace(first, facts=(*first.facts, *outside.facts)),
        results=results,
        chosen=_chosen(results, measured, records) if results.partition == "val" else "",
        limits=(*generated, *settings.told.limits, *words["limits"]),
        pictures=_pictures(_of(name, files.figures), captions, told),
        runs=runs,
        runs_table=runs_table(runs),
        papers=_papers(_one(name, files.cards)),
        elsewhere=outside,
        thresholds=_thresholds(_one(name, files.cards), settings.confidence),
    )


def _chosen(
    results: Results, measured: Mapping[str, Sequence[Json]], records: Sequence[Path]
) -> str:
    recipes = [read_json(path)["settings"]["recipe"] for path in records]
    runs = [run for each in measured.values() for run in each]
    return decisions.by_validation(recipes, runs, bool(results.winner))


def _papers(path: Path) -> dict[str, tuple[Section, ...]]:
    """The sections of the model card and of the checklist, by title."""
    content = read_json(path)
    return {
        title: convert(tuple[Section, ...], content[name], name) for name, title in PAPERS.items()
    }


def _thresholds(path: Path, confidence: float) -> Thresholds | None:
    steps = read_json(path).get("thresholds")
    deviations = NormalDist().inv_cdf((1 + confidence) / 2)
    return Thresholds(json.dumps(steps, separators=(",", ":")), deviations) if steps else None


def _overview(studies: Sequence[Study]) -> Table:
    columns = ("study", "chosen arm", "ROC AUC", "to be careful about", "data", "cases", "tested")
    rows = tuple(
        (
            Cell(study.title),
            Cell(study.results.winner or NONE),
            study.results.reached,
            Cell("; ".join(fact.warning for fact in study.glance.facts if fact.warns) or NONE),
            Cell("generated" if study.phantom else "real"),
            count(study.data.cases),
            count(study.data.tested),
        )
        for study in studies
    )
    flattered = any(study.results.partition == "val" for study in studies)
    return Table("Studies", columns, rows, note=ON_VALIDATION if flattered else "")


def _pictures(
    paths: Iterable[Path], captions: dict[str, Caption], words: Mapping[str, str]
) -> tuple[tuple[str, tuple[Picture, ...]], ...]:
    groups: dict[str, list[Picture]] = {}
    for path in paths:
        picture = embed(path, captions, words)
        groups.setdefault(GROUPS.get(picture.group, picture.group), []).append(picture)
    return tuple((heading, tuple(pictures)) for heading, pictures in groups.items())


def _of(study: str, paths: Sequence[Path]) -> list[Path]:
    """The files of a study: those below ``data/<study>`` or ``results/<study>``."""
    return [path for path in paths if _study_of(path) == study]


def _study_of(path: Path) -> str:
    pairs = list(pairwise(path.parts))
    # An arm or an external set may be called data; an absolute path may lead through such a folder.
    for above, name in pairs[::-1] if path.is_absolute() else pairs:
        if above in ("data", "results"):
            return name
    raise UserError("lies in no study's folder", where=path)


def _one(study: str, paths: Sequence[Path]) -> Path:
    found = _of(study, paths)
    if len(found) != 1:
        raise UserError(f"{len(found)} files where one is needed", where=f"{study}: {paths}")
    return found[0]
