"""params.yaml as a whole: which blocks there are.

What a step reads is declared where it is used, with its bounds, its default and a sentence on what
it does; here stands what holds these blocks together.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Le, MinLen
from pydantic import Field

from triage_workflow.params.validation import Json, Place

from triage.constraints import Matching, Name, Natural, Seed, Text, Unique
from triage.data.groups import SplitSettings
from triage.data.phantoms.settings import PHANTOMS
from triage.data.readers import IndexSettings
from triage.data.shards import Decoding
from triage.evaluation.settings import EvaluationSettings
from triage.evaluation.submission import SubmissionSettings
from triage.models.pretrained import Source
from triage.task import Task
from triage.training.settings import MemoriseSettings, Recipe, Sequence

ABSENT: Any = None  # the default of a key that may be left out, but not be null


def block(name: str, kind: type, *taken: str) -> Any:
    """What ``params.yaml`` has of a step's settings: all but those ``taken`` from elsewhere."""
    hints = typing.get_type_hints(kind, include_extras=True)
    kept = [
        (each.name, hints[each.name], _default(each))
        for each in dataclasses.fields(kind)
        if each.name not in taken
    ]
    return make_dataclass(name, kept, frozen=True, namespace={"DECLARED": kind})


def _default(of: dataclasses.Field[Any]) -> Any:
    return field(default=of.default, default_factory=of.default_factory)


if TYPE_CHECKING:
    Index: TypeAlias = Any
    Decoded: TypeAlias = Any
    Evaluation: TypeAlias = Any
    Submission: TypeAlias = Any
    Phantoms: TypeAlias = Any
else:
    Index = block("Index", IndexSettings, "classes", "task", "external")
    Decoded = block("Decoded", Decoding, "reader", "channels")
    Evaluation = block("Evaluation", EvaluationSettings, "classes", "task")
    Submission = block("Submission", SubmissionSettings, "classes", "task")
    Phantoms = make_dataclass(
        "Phantoms",
        [(name, kind, ABSENT) for name, kind in PHANTOMS.items()],
        namespace={"__doc__": "Generated stand-ins for raw data, each in the layout of its study."},
    )
Seeds = Annotated[tuple[Seed, ...], MinLen(1), Unique()]
Names = Annotated[tuple[Name, ...], Unique()]


MOST_SHARDS = 10_000


@dataclass(frozen=True)
class Images(Decoded):
    """How the files of a case become its image."""

    shards: Annotated[int, Ge(1), Le(MOST_SHARDS)] | None = None
    """Files that a study's images lie in; more are made side by side. null: as many as hold some
    250 MB each when the study is first run, which shards.txt in its folder keeps; phantoms: 1."""


@dataclass(frozen=True)
class Search:
    """Arms that try values of settings. On validation, the best of them is found."""

    mode: Literal["each", "grid"]
    """An arm for each value, one setting at a time, or for each combination."""
    values: Annotated[dict[str, Annotated[tuple[float, ...], MinLen(1), Unique()]], MinLen(1)]
    """The values of each setting, by its path in the recipe: optimizer.lr: [1.0e-4, 1.0e-3]."""


@dataclass(frozen=True, kw_only=True)
class Arm(Recipe):
    """One model and recipe, by its name; every key of the recipe may stand here."""

    extends: Name = ABSENT
    """Another arm of this stage, whose keys this one takes over."""
    seeds: Seeds = ABSENT
    """A training from each; else those of the study."""
    from_: Annotated[Name, Field(alias="from")] = ABSENT
    """The arm of the stage before that this one starts from."""
    sequence: Sequence = ABSENT
    search: Search = ABSENT


def within_recipe(place: Place) -> bool:
    """Whether a place is inside a block of a recipe, whose other keys another recipe may have."""
    blocks = {each.name for each in dataclasses.fields(Recipe)}
    return not {"recipe", "arms"}.isdisjoint(place) and not blocks.isdisjoint(place)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Arms, and what they have in common."""

    recipe: Recipe = field(default_factory=Recipe)
    arms: dict[Name, Arm]


@dataclass(frozen=True, kw_only=True)
class SequenceStage(Stage):
    """A model over the features of a volume's slices, the network frozen."""

    augmented_copies: Natural = 0
    """Of the cached features, beside those of the images as they are."""


@dataclass(frozen=True, kw_only=True)
class Training(Stage):
    """Stages of training, each of which starts from the arms of the one before."""

    sequence: SequenceStage = ABSENT
    finetuning: Stage = ABSENT


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """One predictor of several runs: the mean of their probabilities."""

    arms: Annotated[Names, MinLen(1)]
    """Whose runs these are."""
    over: Literal["folds", "seeds", "runs"]
    """folds: all folds of a seed, or seeds of a fold; runs: all of both. Over folds, validation is
    by cross-validation: networks that did not train on a case score it."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What every study does unless its own block says otherwise."""

    task: Task = Task.BINARY
    """multiclass: one of several classes; multilabel: several at once, or none."""
    dataset: Text | None = None
    """What report and table.csv call the data; null: by its raw folder, or with pseudonyms by the
    study, since a folder's name may tell of people."""
    folds: Annotated[tuple[Natural, ...], MinLen(1), Unique()] = (0,)
    """Which of split.k folds validate, in a training each."""
    seeds: Seeds = (1,)
    """A training from each."""
    index: Index
    images: Images = field(default_factory=Images)
    split: SplitSettings = field(default_factory=SplitSettings)
    chain: Names = ()
    """Arms of which each adds one thing to the last, for a picture of the steps."""
    ensembles: dict[Name, Annotated[Names, MinLen(2)] | Ensemble] = field(default_factory=dict)
    """By name, the arms whose probabilities are averaged, for each fold and seed: [cnn5, vit]; or
    one predictor over them: {arms: [cnn5], over: folds}."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    submission: Submission = field(default_factory=Submission)
    memorise: MemoriseSettings = field(default_factory=MemoriseSettings)


@dataclass(frozen=True, kw_only=True)
class External:
    """Cases from elsewhere that a study's networks are tested on; nothing is chosen on them. Their
    index has what differs from the study's, and dataset what the report calls them."""

    raw: Text
    """The folder of their raw data."""
    index: Index
    """What differs from the study's index. Another reader inherits no table."""
    dataset: Text | None = None
    """What the report calls them; null: as with the study's own."""
    same_patients: bool = False
    """Whether a group of the study's name is the same patient, as it is in one hospital's later
    years; what has been seen of a patient excludes the rest."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is said of a study, which is true of its own data only."""

    title: Text | None = None
    """What report and card call the study; null: by its name."""
    question: Text | None = None
    """What it asks; null: whether its classes can be told apart."""
    limits: tuple[Text, ...] = ()
    """What is not to be concluded from it, beside what holds for every study."""
    statements: tuple[Text, ...] = ()
    """What the card says of its data: where it is from, how it was labelled."""
    published: bool = False
    """Whether the values of presets/published.csv for this study stand beside its own."""


@dataclass(frozen=True, kw_only=True)
class Study(Defaults, Told):
    """A study: its data, and the arms that are compared. Take the block out to disable it."""

    raw: Text
    """The folder of raw data; data/<name>/phantom for generated data."""
    classes: Annotated[
        tuple[Annotated[str, MinLen(1), Matching("^[^|]+$")], ...], MinLen(2), Unique()
    ]
    """Their names in the data; of two, the last one is positive."""
    training: Training
    external: dict[Name, External] = field(default_factory=dict)
    """By name, sets of cases from elsewhere to test on."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting that changes a result."""

    pseudonyms: bool = False
    """Pictures and the report call cases by pseudonyms, for all that others are to see."""
    phantoms: Phantoms
    """Generated stand-ins for raw data; empty where all data is one's own."""
    pretrained: dict[Name, Annotated[Source, Field(discriminator="source")]]
    """Pretrained weights that arms can start from, by name."""
    recipe: Recipe = field(default_factory=Recipe)
    """How a network is trained, for all studies that do not say otherwise."""
    defaults: Defaults = ABSENT
    """The other settings of a study, for all that do not say otherwise."""
    studies: dict[Name, Study]
    """By name."""


def defaults(kind: Any) -> Json:
    """The declared defaults of a block, as YAML would have them."""
    found, hints = {}, typing.get_type_hints(kind)
    for each in dataclasses.fields(kind):
        if each.default_factory is not dataclasses.MISSING:
            found[each.name] = _plain(each.default_factory())
        elif each.default is not dataclasses.MISSING:
            found[each.name] = _plain(each.default)
        elif dataclasses.is_dataclass(hints[each.name]):
            found[each.name] = defaults(hints[each.name])
    return found


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=dataclasses.asdict))
