"""What each step reads: its settings as canonical JSON, and the digest of its code."""

from __future__ import annotations

import json
from typing import Any

from triage_workflow.engines.digest import code_digest
from triage_workflow.params import Params, Run, canonical
from triage_workflow.params.arms import merge

from triage.data.readers import READERS
from triage.models import ARCHITECTURES

# How many cases of a kind a picture shows, and the seed that draws them.
PICTURES = {"cases": 6, "seed": 1}

NO_AUGMENTATION = {
    "flip": 0.0,
    "flip_vertical": 0.0,
    "rotate": {"probability": 0.0},
    **dict.fromkeys(("perspective", "affine", "crop", "blur", "jitter")),
}


class Steps:
    """The settings and code of every step, each as narrow as what the step reads."""

    def __init__(self, params: Params) -> None:
        self.params = params

    def phantom(self, study: str) -> dict[str, str]:
        return _params(
            self.params.content["phantoms"][study],
            code_digest("phantom.py", f"triage.data.phantoms.{study}"),
        )

    def index(self, study: str) -> dict[str, str]:
        block = self.params.study(study)
        return _params(_index(block), code_digest("index.py", _reader(block)))

    def images(self, study: str) -> dict[str, str]:
        block = self.params.study(study)
        settings = _decoding(block) | {"min_slices": block["index"]["min_slices"]}
        return _params(settings, code_digest("images.py", _reader(block)))

    def manifest(self, study: str) -> dict[str, str]:
        return _params(_index(self.params.study(study)), code_digest("manifest.py"))

    def groups(self, study: str) -> dict[str, str]:
        return _params(self.params.study(study)["split"], code_digest("groups.py"))

    def split(self, study: str) -> dict[str, str]:
        return _params(self.params.study(study)["split"], code_digest("split.py"))

    def training(self, script: str, run: Run) -> dict[str, str]:
        """Settings of ``train.py``, ``train_sequence.py`` or ``finetune.py`` for a run."""
        block, arm = self.params.study(run.study), self.params.arms(run.study)[run.arm]
        settings = {
            "study": run.study,
            "stage": run.stage,
            "arm": run.arm,
            "fold": run.fold,
            "seed": run.seed,
            "classes": block["classes"],
            "task": block["task"],
            "images": _decoding(block),
            "recipe": arm.recipe,
            "sequence": arm.sequence,
        }
        return _params(settings, code_digest(script, self._architecture(run)))

    def memorise(self, run: Run) -> dict[str, str]:
        """As ``train.py``, without what keeps a network from learning by heart; and the goal."""
        block, recipe = self.params.study(run.study), self.params.arms(run.study)[run.arm].recipe
        by_heart = {
            "epochs": block["memorise"]["epochs"],
            "augment": NO_AUGMENTATION,
            "balance": {"method": "none"},
            "stopping": {"patience": None},
            "select": {"by": "accuracy"},
            "schedule": {"name": "constant"},
            "train_on": ["train"],
        }
        settings = {
            **json.loads(self.training("train.py", run)["settings"]),
            "recipe": merge(recipe, by_heart),
        }
        code = code_digest("memorise.py", self._architecture(run))
        return _params(settings, code) | {"goal": canonical(block["memorise"])}

    def features(self, run: Run) -> dict[str, str]:
        """Settings of the cached features of a slice classifier."""
        arm = self.params.arms(run.study)[run.arm]
        copies = self.params.study(run.study)["training"]["sequence"]["augmented_copies"]
        # Without augmented copies nothing is augmented, so augmentation settings are not read.
        augment = arm.recipe["augment"] if copies else None
        settings = {
            "augmented_copies": copies,
            "augment": augment,
            "seed": run.seed if copies else 0,
        }
        return _params(settings, code_digest("features.py", self._architecture(run)))

    def predict(self, run: Run) -> dict[str, str]:
        return {"code": code_digest("predict_cases.py", self._architecture(run))}

    def export(self, study: str) -> dict[str, str]:
        """Which networks an ensemble is made of, and the architectures of all."""
        settings = {"ensembles": self._ensembles(study)}
        used = {self._architecture(run) for run in self.params.trained_runs(study)}
        return _params(settings, code_digest("export.py", *sorted(used)))

    def evaluate(self, study: str) -> dict[str, str]:
        return _params(self._evaluation(study), code_digest("evaluate.py"))

    def table(self, study: str) -> dict[str, str]:
        arms = {
            name: {
                "initialisation": self._initialisation_of(study, name),
                "search": arm.search or "",
            }
            for name, arm in self.params.arms(study).items()
        }
        step = _params(self._evaluation(study), code_digest("table.py"))
        return step | {"arms": canonical(arms)}

    def pretrain(self, name: str) -> dict[str, str]:
        """Settings of pretrained weights; their architecture's file counts where it is used."""
        settings = self.params.content["pretrained"][name]
        used = [ARCHITECTURES[settings["architecture"]]] * (settings["source"] == "pretext")
        return _params(settings, code_digest("pretrain.py", *used))

    def card(self, study: str) -> dict[str, str]:
        block = self.params.study(study)
        settings = {
            "study": study,
            "classes": block["classes"],
            "task": block["task"],
            "phantom": self.params.is_phantom(study),
            "split": block["split"],
            "evaluation": self._evaluation(study),
            "ensembles": self._ensembles(study),
            "origins": self._origins(study),
        }
        return _params(settings, code_digest("card.py"))

    def _evaluation(self, study: str) -> dict[str, Any]:
        """How predictions of a study are judged."""
        block = self.params.study(study)
        classes = {"classes": block["classes"], "task": block["task"]}
        return {**block["evaluation"], **classes}

    def _ensembles(self, study: str) -> dict[str, Any]:
        """The members of each ensemble of a study."""
        return {arm.name: arm.members for arm in self.params.arms(study).values() if arm.members}

    def _origins(self, study: str) -> dict[str, str]:
        """The arm that another one of a study starts from."""
        return {arm.name: arm.parent for arm in self.params.arms(study).values() if arm.parent}

    def submission(self, study: str) -> dict[str, str]:
        block = self.params.study(study)
        settings = {"classes": block["classes"], "task": block["task"]}
        return _params(block["submission"] | settings, code_digest("submission.py"))

    def explore(self, study: str) -> dict[str, str]:
        settings = {"classes": self.params.study(study)["classes"]} | PICTURES | self._pseudonyms()
        return _params(settings, code_digest("explore.py"))

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

    def figures(self, study: str, compared: bool = False) -> dict[str, str]:
        """Settings of the pictures of results; ``compared`` for those that need all arms."""
        block = self.params.study(study)
        bootstrap = ("confidence", "replicates", "seed", "bins")
        settings = {
            "classes": block["classes"],
            "task": block["task"],
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
        return _params(settings, code_digest("figures.py"))

    def explain(self, study: str) -> dict[str, str]:
        settings = {"classes": self.params.study(study)["classes"]} | PICTURES | self._pseudonyms()
        used = {self._architecture(run) for run in self.params.trained_runs(study)}
        return _params(settings, code_digest("explain.py", *sorted(used)))

    def report(self) -> dict[str, str]:
        studies = [
            {
                "name": study,
                "classes": self.params.study(study)["classes"],
                "phantom": self.params.is_phantom(study),
                "confidence": self.params.study(study)["evaluation"]["confidence"],
                **self._pseudonyms(),
            }
            for study in self.params.studies
        ]
        return _params({"studies": studies}, code_digest("report.py"))

    def _pseudonyms(self) -> dict[str, bool]:
        """For steps that name cases."""
        return {"pseudonyms": self.params.content["pseudonyms"]}

    def plain(self, script: str, settings: Any = None) -> dict[str, str]:
        """A step that reads no settings but those given."""
        return _params(settings or {}, code_digest(script))

    def _initialisation_of(self, study: str, arm: str) -> str:
        """What an arm starts from, in words; of an ensemble, what its members start from."""
        arms = self.params.arms(study)
        if arms[arm].members:
            found = [self._initialisation_of(study, member) for member in arms[arm].members]
            return ", ".join(dict.fromkeys(found))
        name = arms[arm].recipe["model"]["pretrained"]
        return (
            "random" if name == "none" else str(self.params.content["pretrained"][name]["source"])
        )

    def _architecture(self, run: Run) -> str:
        architecture = self.params.arms(run.study)[run.arm].recipe["model"]["architecture"]
        return ARCHITECTURES[architecture]


def _params(settings: Any, code: str) -> dict[str, str]:
    return {"settings": canonical(settings), "code": code}


def _index(block: dict[str, Any]) -> dict[str, Any]:
    return block["index"] | {"classes": block["classes"], "task": block["task"]}


def _decoding(block: dict[str, Any]) -> dict[str, Any]:
    """How files become images."""
    images = block["images"]
    return {"reader": block["index"]["reader"], "size": images["size"], "mode": images["mode"]}


def _reader(block: dict[str, Any]) -> str:
    return READERS[block["index"]["reader"]]
