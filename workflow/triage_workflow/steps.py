"""What each step reads: its settings as canonical JSON, and the digest of its code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from triage_workflow import answers
from triage_workflow.engines.digest import code_digest
from triage_workflow.params import Params, Run, canonical
from triage_workflow.params.arms import merge
from triage_workflow.params.checks import TABLE_KEYS
from triage_workflow.params.declared import Index, defaults

from triage import pseudonyms
from triage.data.readers import READERS, Loading
from triage.models import ARCHITECTURES
from triage.runs import ALL

# How many cases of a kind a picture shows, and the seed that draws them.
PICTURES = {"cases": 6, "seed": 1}

# Options of some data only.
USUAL_LOADING = defaults(Loading)
USUAL_TABLE = {key: defaults(Index)[key] for key in TABLE_KEYS}

NO_AUGMENTATION = {
    "flip": 0.0,
    "flip_vertical": 0.0,
    "rotate": {"probability": 0.0},
    **dict.fromkeys(("perspective", "affine", "crop", "blur", "jitter", "gamma", "noise")),
}


class Reads(NamedTuple):
    """What a step's result depends on beside its files and its script.

    ``modules`` are those that the script imports by name.
    """

    settings: Any = None
    modules: Iterable[str] = ()


class Steps:
    """What every step reads, as narrow as it can be: a method for each script that reads any."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self._known: dict[tuple[str, tuple[Any, ...]], dict[str, str]] = {}

    def of(self, script: str, *about: Any) -> dict[str, str]:
        """The settings of a script as JSON, if it has any, and the digest of its code.

        ``about`` is what the script's own method below takes.
        """
        if (script, about) not in self._known:
            reads = getattr(self, script)(*about) if hasattr(self, script) else Reads()
            found = {"code": code_digest(f"{script}.py", *reads.modules)}
            if reads.settings is not None:
                found["settings"] = canonical(reads.settings)
                if '"pseudonyms":true' in found["settings"]:  # another key gives other names
                    found["code"] += f"-{pseudonyms.fingerprint()}"
            self._known[script, about] = found
        return self._known[script, about]

    def generate_phantom(self, study: str) -> Reads:
        return Reads(self.params.content["phantoms"][study], [f"triage.data.phantoms.{study}"])

    def index(self, study: str) -> Reads:
        return Reads(self._index(study), [_reader(self.params.study(study))])

    def decode_images(self, study: str) -> Reads:
        block = self.params.study(study)
        settings = _decoding(block) | {"min_slices": block["index"]["min_slices"]}
        return Reads(settings, [_reader(block)])

    def write_manifest(self, study: str) -> Reads:
        return Reads(self._index(study))

    def exclude_seen(self, external: str) -> Reads:
        blocks = [self.params.study(each) for each in (self.params.owner(external), external)]
        settings = {
            "near_duplicate_bits": blocks[0]["split"]["near_duplicate_bits"],
            "same_patients": blocks[1]["same_patients"],
            "images": list(map(_decoding, blocks)),
        }
        return Reads(settings, sorted({_reader(block) for block in blocks}))

    def assign_folds(self, study: str) -> Reads:
        block = self.params.study(study)
        return Reads({"split": block["split"], "images": _decoding(block)}, [_reader(block)])

    def split(self, study: str) -> Reads:
        return Reads(self.params.study(study)["split"])

    def train(self, run: Run) -> Reads:
        block, arm = self.params.study(run.study), self.params.arms(run.study)[run.arm]
        settings = {
            "study": run.study,
            "stage": run.stage,
            "arm": run.arm,
            "fold": run.fold,
            "seed": run.seed,
            **_asked(block),
            "images": _decoding(block),
            "recipe": {key: each for key, each in arm.recipe.items() if key != "predict"},
            "sequence": arm.sequence,
        }
        return Reads(settings, [self._architecture(run)])

    train_sequence = finetune = fit = train

    def memorise(self, run: Run) -> Reads:
        """As ``train.py``, without what keeps a network from learning by heart; and the goal."""
        block, recipe = self.params.study(run.study), self.params.arms(run.study)[run.arm].recipe
        by_heart = {
            "epochs": block["memorise"]["epochs"],
            "augment": NO_AUGMENTATION,
            "mix": None,
            "balance": {"method": "none"},
            "stopping": {"patience": None},
            "select": {"by": "accuracy"},
            "schedule": {"name": "constant"},
            "train_on": ["train"],
        }
        settings, modules = self.train(run)
        return Reads(settings | {"recipe": merge(recipe, by_heart)}, modules)

    def extract_features(self, run: Run) -> Reads:
        """Settings of the cached features of a slice classifier."""
        arm = self.params.arms(run.study)[run.arm]
        copies = self.params.study(run.study)["training"]["sequence"]["augmented_copies"]
        # Without augmented copies nothing is augmented, so augmentation settings are not read.
        augment = arm.recipe["augment"] if copies else None
        seed = run.seed if copies else 0
        settings = {"augmented_copies": copies, "augment": augment, "seed": seed}
        return Reads(settings, [self._architecture(run)])

    def predict_cases(self, run: Run) -> Reads:
        recipe = self.params.arms(run.study)[run.arm].recipe
        return Reads(recipe["predict"], [self._architecture(run)])

    def export(self, study: str) -> Reads:
        """Which networks an ensemble is made of, and the architectures of all."""
        settings = {"members": self._members(study)}
        used = {self._architecture(run) for run in self.params.trained_runs(study)}
        return Reads(settings, sorted(used))

    def evaluate(self, run: Run) -> Reads:
        """How a run is judged, what its networks are, and were shown in reflections."""
        arms = self.params.arms(run.study)
        recipes = {name: arms[name].recipe for name in arms[run.arm].members or (run.arm,)}
        flips = {name: each["predict"]["flips"] for name, each in recipes.items()}
        settings = {
            "flips": {name: each for name, each in flips.items() if each},
            "members": self._members(run.study)[_path(run)] if arms[run.arm].over else [],
        }
        return Reads(self._evaluation(run.study) | settings)

    def evaluate_external(self, study: str) -> Reads:
        return Reads(self._evaluation(study))

    def average(self, run: Run, partition: str) -> Reads:
        """Validation of an ensemble over folds is by the networks that did not train on a case."""
        settings = {"task": self.params.study(run.study)["task"]}
        return Reads(settings | {"out_of_fold": run.fold == ALL and partition == "val"})

    def compare(self, study: str) -> Reads:
        known = self.params.arms(study)
        arms = {
            name: {
                "initialisation": self._initialisation_of(study, name),
                "search": arm.search or "",
            }
            for name, arm in known.items()
        }
        settings = {
            "study": study,
            "floors": [
                name
                for name, arm in known.items()
                if all(known[each].is_floor for each in arm.members or (name,))
            ],
            "data": self.params.dataset(study),
            "external": {
                each.rpartition("/")[2]: self.params.dataset(each)
                for each in self.params.external(study)
            },
            "arms": arms,
            "evaluation": self._evaluation(study),
        }
        return Reads(settings)

    def pretrain(self, name: str) -> Reads:
        """Settings of pretrained weights; their architecture's file counts where it is used."""
        settings = self.params.content["pretrained"][name]
        used = [ARCHITECTURES[settings["architecture"]]] * (settings["source"] == "pretext")
        return Reads(settings, used)

    def write_card(self, study: str) -> Reads:
        block, arms = self.params.study(study), self.params.arms(study)
        settings = {
            "told": self._told(study),
            **_asked(block),
            "phantom": self.params.is_phantom(study),
            "split": block["split"],
            "evaluation": self._evaluation(study),
            "members": self._members(study),
            "origins": {each.name: each.parent for each in arms.values() if each.parent},
            "answers": answers.of(study),
        }
        return Reads(settings)

    def _index(self, source: str) -> dict[str, Any]:
        block = self.params.study(source)
        elsewhere = {"external": True} if source not in self.params.studies else {}
        return _chosen(block["index"], USUAL_TABLE) | _asked(block) | elsewhere

    def _told(self, study: str) -> dict[str, Any]:
        """What report and card say of a study in words."""
        block = self.params.study(study)
        *others, last = block["classes"]
        apart = f"Can a model tell {', '.join(others)} and {last} apart?"
        return {
            "title": block["title"] or study.replace("_", " ").capitalize(),
            "question": block["question"] or apart,
            "limits": block["limits"],
            "statements": block["statements"],
        }

    def _evaluation(self, study: str) -> dict[str, Any]:
        """How predictions of a study are judged."""
        block = self.params.study(study)
        return block["evaluation"] | _asked(block)

    def _members(self, study: str) -> dict[str, list[str]]:
        """The runs whose mean each run of an ensemble is, as ``<arm>/<run>``."""
        return {
            _path(run): list(map(_path, self.params.members(run)))
            for run in self.params.runs(study)
            if run.stage == "ensemble"
        }

    def write_submission(self, study: str) -> Reads:
        block = self.params.study(study)
        return Reads(block["submission"] | _asked(block))

    def explore(self, study: str) -> Reads:
        return Reads(self._pictured(study))

    def balancing(self, study: str) -> dict[str, Any]:
        """Of the arms that balance their training cases or leave some out: how."""
        found = {}
        for arm in self.params.arms(study).values():
            if arm.stage != "training":
                continue
            method, votes = arm.recipe["balance"]["method"], arm.recipe["exclude_votes"]
            if method != "none" or votes:
                how = {"method": method, "exclude_votes": votes, "seed": arm.seeds[0]}
                found[arm.name] = how
        return found

    def searches(self, study: str) -> dict[str, Any]:
        """The arms of each search, with what they try."""
        found: dict[str, Any] = {}
        for arm in self.params.arms(study).values():
            if arm.search:
                found.setdefault(arm.search, {})[arm.name] = arm.point
        return found

    def draw_figures(self, study: str, compared: bool = False) -> Reads:
        """Settings of the pictures of results; ``compared`` for those that need all arms."""
        block = self.params.study(study)
        bootstrap = ("confidence", "replicates", "seed", "bins")
        settings = {
            **_asked(block),
            "cases": PICTURES["cases"],
            **{key: block["evaluation"][key] for key in bootstrap},
            "compared": None,
            "selection": {
                arm.name: arm.recipe["select"]["by"]
                for arm in self.params.arms(study).values()
                if not arm.members
            },
            **self._pseudonyms(),
        }
        if compared:
            settings["compared"] = {
                "chain": block["chain"],
                "searches": self.searches(study),
                "balancing": self.balancing(study),
            }
        return Reads(settings)

    def explain(self, study: str) -> Reads:
        used = {self._architecture(run) for run in self.params.trained_runs(study)}
        return Reads(self._pictured(study) | {"members": self._members(study)}, sorted(used))

    def report(self) -> Reads:
        studies = [
            {
                "name": study,
                "classes": self.params.study(study)["classes"],
                "phantom": self.params.is_phantom(study),
                "told": self._told(study),
                "confidence": self.params.study(study)["evaluation"]["confidence"],
                **self._pseudonyms(),
            }
            for study in self.params.studies
        ]
        return Reads({"studies": studies})

    def _pseudonyms(self) -> dict[str, bool]:
        """For steps that name cases."""
        return {"pseudonyms": self.params.content["pseudonyms"]}

    def _pictured(self, study: str) -> dict[str, Any]:
        """For steps that show single cases."""
        return {"classes": self.params.study(study)["classes"]} | PICTURES | self._pseudonyms()

    def _initialisation_of(self, study: str, arm: str) -> str:
        """What an arm starts from, in words; of an ensemble, what its members start from."""
        arms = self.params.arms(study)
        if arms[arm].members:
            found = [self._initialisation_of(study, member) for member in arms[arm].members]
            return ", ".join(filter(None, dict.fromkeys(found)))
        if arms[arm].is_floor:
            return ""
        name = arms[arm].recipe["model"]["pretrained"]
        if name == "none":
            return "random"
        source = str(self.params.content["pretrained"][name]["source"])
        return {"download": "published"}.get(source, source)

    def _architecture(self, run: Run) -> str:
        architecture = self.params.arms(run.study)[run.arm].recipe["model"]["architecture"]
        return ARCHITECTURES[architecture]


def _path(run: Run) -> str:
    return f"{run.arm}/{run.name}"


def _asked(block: dict[str, Any]) -> dict[str, Any]:
    """What a study asks of each case."""
    return {"classes": block["classes"], "task": block["task"]}


def _decoding(block: dict[str, Any]) -> dict[str, Any]:
    """How files become images."""
    images = {key: value for key, value in block["images"].items() if key != "shards"}
    index = {key: block["index"][key] for key in ("reader", "channels")}
    return _chosen(images | index, USUAL_LOADING)


def _chosen(block: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """Without the options that are as usual: what nobody uses remakes nothing."""
    return {key: value for key, value in block.items() if key not in usual or value != usual[key]}


def _reader(block: dict[str, Any]) -> str:
    return READERS[block["index"]["reader"]]
