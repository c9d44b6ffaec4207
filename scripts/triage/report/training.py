"""How an arm's networks came about, in sentences from the records of all their stages.

What the records agree on is said once, and the rest by arm.
"""

from __future__ import annotations

from collections.abc import Callable

from triage.durations import duration
from triage.models import FLOORS
from triage.report.networks import Networks, Stage
from triage.report.results import METRICS
from triage.report.words import agreed, listed

SCALES = {
    "training": "training statistics",
    "fixed": "fixed values",
    "volume": "each volume's own statistics",
}
PARTS = {"train": "training", "val": "validation"}


def sentences(networks: Networks) -> dict[str, str]:
    """What the records tell, by topic."""
    told = {topic: _each(networks, sentence) for topic, sentence in TOPICS.items()}
    told["training"] += f" {_time(networks.stages)}"
    start = "; ".join(f"{each.arm}: {_initialisation(each)}" for each in networks.stages)
    return told | {"initialisation": f"{start}."}


def description(networks: Networks) -> str:
    """Which arms the networks started from, and the weights of each: of all, and those trained."""
    chains = [[each.arm for each in stage.lineage] for stage in networks.last]
    origins = [
        f"{chain[0]} starts from {', which starts from '.join(chain[1:])}."
        for chain in chains
        if len(chain) > 1
    ]
    kinds = "; ".join(f"{each.arm}: {_kind(each)}, {_weights(each)}" for each in networks.stages)
    return " ".join([*origins, f"{kinds}."])


def _each(networks: Networks, sentence: Callable[[Stage], str]) -> str:
    return agreed({each.arm: sentence(each) for each in networks.stages})


def _time(stages: tuple[Stage, ...]) -> str:
    by_device: dict[str, list[str]] = {}
    for stage in stages:
        arm = f" ({stage.arm})" if len(stages) > 1 else ""
        took = duration(stage.record["seconds"], 1) + arm
        by_device.setdefault(stage.record["device"], []).append(took)
    times = [f"{listed(each)} on {device}" for device, each in by_device.items()]
    return f"It took {'; '.join(times)}."


def _kind(stage: Stage) -> str:
    name, kind = stage.recipe["model"]["architecture"], stage.settings["stage"]
    origin = stage.origin.arm if stage.origin else ""
    if kind == "sequence":
        how = "" if stage.from_features else ", whose batch norm drifted"
        return f"a sequence model over the features of slices by {origin}{how}"
    if kind == "finetuning":
        return f"{name} and the sequence model of {origin} trained together"
    slices = " for single slices" if stage.settings["images"]["mode"] == "volume" else ""
    return f"{'' if _is_floor(stage) else 'network '}{name}{slices}"


def _is_floor(stage: Stage) -> bool:
    return stage.recipe["model"]["architecture"] in FLOORS


def _weights(stage: Stage) -> str:
    if _is_floor(stage):
        return "no network: it sees thumbnails and histograms"
    trained = stage.record["trained_parameters"]
    if trained == stage.weights:
        return f"{trained:,} weights, all trained"
    return f"{trained:,} weights trained of {stage.weights:,} in the whole network"


def _training(stage: Stage) -> str:
    recipe = stage.recipe
    optimizer, epochs = recipe["optimizer"], recipe["epochs"]
    most = "" if recipe["stopping"]["patience"] is None else "at most "
    parts = " and ".join(PARTS[part] for part in recipe["train_on"])
    cases = f"{stage.record['cases']['train']} {parts} cases"
    if _is_floor(stage):
        return f"Fitted to {cases} at once, by scikit-learn."
    return (
        f"Trained on {cases} for {most}{epochs} "
        f"{'epoch' if epochs == 1 else 'epochs'} in batches of {recipe['batch_size']}, by "
        f"{optimizer['name']} at rate {optimizer['lr']:g} (schedule: "
        f"{recipe['schedule']['name']}), weight decay {optimizer['weight_decay']:g}."
    )


def _selection(stage: Stage) -> str:
    by = stage.recipe["select"]["by"]
    if _is_floor(stage):
        return "It has no epochs to choose from."
    if by == "last":
        return "The last epoch is kept."
    words = METRICS.get({"auc": "roc_auc"}.get(by, by), by)
    return f"The epoch that is best on validation by {words} is kept."


def _initialisation(stage: Stage) -> str:
    if stage.origin and stage.settings["stage"] == "sequence":
        return f"slice network of {stage.origin.arm}, sequence model random, from the seed"
    if stage.origin:
        return f"all weights of {stage.origin.arm}"
    name = stage.recipe["model"]["pretrained"]
    if _is_floor(stage):
        return "fitted, from the seed"
    return "random, from the seed" if name == "none" else f"pretrained ({name})"


def _software(stage: Stage) -> str:
    versions = stage.record["versions"].items()
    return ", ".join(f"{name} {version}" for name, version in versions) + "."


def _preprocessing(stage: Stage) -> str:
    images, settings = stage.settings["images"], stage.recipe["input"]
    size = f", scaled to {images['size']} pixels" if images["size"] else ""
    steps = [f"Decoded as {images['mode']}{size}"]
    if settings["crop"]:
        steps.append(f"centre crop of {settings['crop']} pixels")
    if settings["resize"]:
        steps.append(f"resized to {settings['resize']} pixels")
    return "; ".join([*steps, f"normalised by {SCALES[settings['normalise']]}"]) + "."


def _augmentation(stage: Stage) -> str:
    mix = stage.recipe.get("mix")  # absent from records of before
    if mix is None:
        return _changes(stage)
    how = f"by {mix['method']} (alpha {mix['alpha']:g}) with probability {mix['probability']:g}"
    return f"{_changes(stage)} Each sample is mixed with another one {how}, labels with it."


def _changes(stage: Stage) -> str:
    active = [
        name.replace("_", " ")
        for name, value in stage.recipe["augment"].items()
        if name not in ("per", "choose")
        and value
        and not (isinstance(value, dict) and value.get("probability") == 0)
    ]
    if not active:
        return "No augmentation."
    if stage.from_features:
        return (
            "Features of slices are computed beforehand, of augmented images only where "
            f"training.sequence.augmented_copies asks for copies ({', '.join(active)})."
        )
    return f"Training images are augmented: {', '.join(active)}."


def _balance(stage: Stage) -> str:
    recipe = stage.recipe
    found = []
    if recipe["balance"]["method"] != "none":
        how = ", hard examples most" * (recipe["balance"]["method"] == "hard_examples")
        only = ", and only the copies are augmented" * (recipe["balance"]["augment"] == "copies")
        found.append(f"the rarer class is oversampled{how}{only}")
    for name in ("class_weights", "pos_weight"):
        if recipe["loss"][name] != "none":
            found.append(f"the loss has {name.replace('_', ' ')} ({recipe['loss'][name]})")
    if not found:
        return "Class imbalance is not corrected for."
    return f"Class imbalance: {', '.join(found)}."


def _code(stage: Stage) -> str:
    return (
        f"Code digest {stage.record['code']}, commit {stage.record.get('git_commit') or 'unknown'}."
    )


TOPICS: dict[str, Callable[[Stage], str]] = {
    "training": _training,
    "selection": _selection,
    "software": _software,
    "preprocessing": _preprocessing,
    "augmentation": _augmentation,
    "balance": _balance,
    "code": _code,
}
