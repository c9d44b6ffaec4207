"""Settings that are right one by one, and wrong together."""

from __future__ import annotations

from typing import Any

from triage_workflow.params.arms import Arm
from triage_workflow.params.declared import Index, defaults
from triage_workflow.params.validation import Json

from triage.data.readers import SEQUENCES
from triage.data.split import PARTITIONS
from triage.errors import UserError
from triage.models import LAYERS_OF, OVER_VOLUMES, WITH_FEATURES, options_of
from triage.models.libraries import SOURCES, least_size, refuse_unknown
from triage.task import Task

TABLE_KEYS = (
    *("table", "columns", "values", "leave_out", "uncertain", "blank", "partitions"),
    *("attributes", "annotators", "channels"),
)
CHANNELS = {"grey": 1, "rgb": 3}


def check_study(block: Json, arms: dict[str, Arm], where: str) -> None:
    """Raise UserError naming the key of a study's block that does not fit the others."""
    _check_folds(block, where)
    check_data(block, where)
    Task(block["task"]).check(block["classes"], f"{where}.classes")
    _check_features(arms, where)
    for arm in arms.values():
        if arm.over:
            _check_over(arm, block, arms, f"{where}.ensembles.{arm.name}")
    if unknown := [name for name in block["chain"] if name not in arms]:
        raise UserError(
            f"{unknown[0]!r} is not an arm",
            where=f"{where}.chain",
            remedy=f"of {', '.join(arms)}",
        )
    chosen = block["submission"]["arm"]
    if chosen != "best" and chosen not in arms:
        raise UserError(
            f"{chosen!r} is not an arm",
            where=f"{where}.submission.arm",
            remedy=f"best, or one of {', '.join(arms)}",
        )


def check_data(block: Json, where: str) -> None:
    """Raise UserError naming the key on how data is read that does not fit the others."""
    _check_mode(block, where)
    _check_table(block["index"], f"{where}.index")
    _check_channels(block, f"{where}.images")


def check_external(name: str, where: str) -> None:
    """Raise UserError for an external set that is called as a part of the study is."""
    if name in PARTITIONS:
        raise UserError(
            f"{name} is a part of the study itself", where=where, remedy="give the set another name"
        )


def check_weights(block: Json, where: str) -> None:
    """Raise UserError for pretrained weights whose keys do not fit each other."""
    if block["architecture"] == "timm" and block.get("mirror"):
        raise UserError(
            "is for torchvision's files: timm fetches its weights itself",
            where=f"{where}.mirror",
            remedy="take it out; the variable HF_ENDPOINT names another hub",
        )


def check_arm(arm: Arm, block: Json, pretrained: Json, where: str) -> None:
    """Raise UserError naming the key of a resolved arm that does not fit the others."""
    _check_selection(arm.recipe, block, where)
    _check_loss(arm.recipe, Task(block["task"]), where)
    _check_input(arm.recipe["input"], block, where)
    _check_pictures(arm.recipe, block, where)
    _check_blur(arm.recipe["augment"]["blur"], where)
    _check_mix(arm, where)
    _check_network(arm.recipe["model"], block, where)
    _check_pretrained(arm.recipe["model"], pretrained, where)


def _check_features(arms: dict[str, Arm], where: str) -> None:
    """A sequence model reads what a network gives before its last layer."""
    for arm in arms.values():
        if arm.stage != "sequence" or arm.parent is None:
            continue
        architecture = arms[arm.parent].recipe["model"]["architecture"]
        if architecture not in WITH_FEATURES:
            raise UserError(
                f"is {arm.parent}, whose {architecture} gives no feature vectors",
                where=f"{where}.training.sequence.arms.{arm.search or arm.name}.from",
                remedy=f"an arm whose architecture is one of {', '.join(WITH_FEATURES)}",
            )


def _check_folds(block: Json, where: str) -> None:
    split = block["split"]
    for fold in block["folds"] if split["leave_out"] is None else ():
        if fold >= split["k"]:
            raise UserError(
                f"fold {fold} is not one of the {split['k']} folds",
                where=f"{where}.folds",
                remedy=f"folds are 0 to {split['k'] - 1}; see split.k",
            )
    cut = split["test"] == split["validation"] == "fold" and not split["leave_out"]
    if cut and split["k"] < 3:
        raise UserError(
            "2 folds can't be training, validation and test",
            where=f"{where}.split.k",
            remedy="use at least 3, or take test or validation from the source",
        )


def _check_over(arm: Arm, block: Json, arms: dict[str, Arm], where: str) -> None:
    """One predictor of several folds may not be tested on what one of its networks learnt from."""
    single = [("folds", arm.over_folds, block["folds"]), ("seeds", arm.over_seeds, arm.seeds)]
    for kind, is_over, values in single:
        if is_over and len(values) < 2:
            raise UserError(
                f"is over {arm.over}, but there is only one of {kind}",
                where=where,
                remedy=f"add {kind}, or take the ensemble out",
            )
    if not arm.over_folds:
        return
    split = block["split"]
    if split["leave_out"] or split["test"] == "fold":
        key = "leave_out" if split["leave_out"] else "test: fold"
        raise UserError(
            f"each fold tests on cases that other folds train on (split.{key}), so their mean would"
            " be tested on what it has learnt",
            where=where,
            remedy="over: seeds, or split.test: source, a test part that all folds share",
        )
    for name in arm.members:
        each: str | None = name
        while each is not None:
            if "val" in arms[each].recipe["train_on"]:
                raise UserError(
                    f"{each} trains on its validation part too, so no case is left to choose"
                    " thresholds on",
                    where=where,
                    remedy="train_on: [train], or another arm",
                )
            each = arms[each].parent


def _check_mode(block: Json, where: str) -> None:
    reader, mode = block["index"]["reader"], block["images"]["mode"]
    if reader == "table" or (reader == "volumes") == (mode == "volume"):
        return
    # The sequences of a volume are no colours, and pictures differ in how many they have.
    raise UserError(
        f"{mode} does not fit index.reader: {reader}",
        where=f"{where}.images.mode",
        remedy="volume" if reader == "volumes" else "one of grey, rgb; volume is for volumes only",
    )


def _check_table(index: Json, where: str) -> None:
    """Keys of tables say nothing to other readers."""
    usual = defaults(Index)
    of_tables = [key for key in TABLE_KEYS if index[key] != usual[key]]
    if index["reader"] == "volumes":
        of_tables = [key for key in of_tables if key != "channels"]
    if index["reader"] != "table" and of_tables:
        raise UserError(
            f"is for index.reader: table, and the reader is {index['reader']}",
            where=f"{where}.{of_tables[0]}",
            remedy="set index.reader: table, or take the key out",
        )
    if index["reader"] == "table" and not index["table"]:
        raise UserError("is not set", where=f"{where}.table", remedy="name the table, below raw")


def _channels(block: Json) -> list[Any]:
    """What the channels of a volume are called; or each one's window."""
    index, images = block["index"], block["images"]
    named = index["channels"] or (SEQUENCES if index["reader"] == "volumes" else ["image"])
    return list(images["windows"] or named)


def _check_channels(block: Json, where: str) -> None:
    images = block["images"]
    named = _channels(block | {"images": images | {"windows": []}})
    reference = images["reference"]
    if reference not in (None, *named):
        raise UserError(
            f"{reference!r} is no channel",
            where=f"{where}.reference",
            remedy=f"one of {', '.join(named)}, see index.channels; or null for the last",
        )
    windows = images["windows"]
    if not windows:
        return
    if len(named) > 1 or images["mode"] != "volume":
        raise UserError(
            "is for volumes of one channel",
            where=f"{where}.windows",
            remedy="take it out, or name one channel in index.channels",
        )
    for low, high in windows:
        if low >= high:
            raise UserError(
                f"[{low:g}, {high:g}] is no window",
                where=f"{where}.windows",
                remedy="give the least value first, then the greatest",
            )


def _check_loss(recipe: Json, task: Task, where: str) -> None:
    """Positives and negatives are of a class for itself."""
    if task is Task.MULTICLASS and recipe["loss"]["pos_weight"] != "none":
        raise UserError(
            f"{recipe['loss']['pos_weight']} is for classes that don't exclude each other",
            where=f"{where}.loss.pos_weight",
            remedy="set it to none, and loss.class_weights to inverse",
        )


def _check_selection(recipe: Json, block: Json, where: str) -> None:
    by = recipe["select"]["by"]
    if by == "last":
        return
    if "val" in recipe["train_on"]:
        raise UserError(
            f"select.by is {by}, but validation cases are trained on",
            where=where,
            remedy="set select.by: last, or train_on: [train]",
        )
    if block["split"]["validation"] == "none":
        raise UserError(
            "split.validation is none, so no epoch can be chosen",
            where=where,
            remedy="set select.by: last",
        )


def _check_input(settings: Json, block: Json, where: str) -> None:
    if settings["normalise"] == "fixed" and not (settings["mean"] and settings["std"]):
        raise UserError(
            "normalise is fixed, but mean or std is empty",
            where=f"{where}.input",
            remedy="give one number a channel for both, or set normalise: training",
        )
    channels = CHANNELS.get(block["images"]["mode"]) or len(_channels(block))
    for name in ("mean", "std") if settings["normalise"] == "fixed" else ():
        if len(settings[name]) != channels:
            raise UserError(
                f"{len(settings[name])} number(s) for {channels} channel(s)",
                where=f"{where}.input.{name}",
                remedy="give one a channel; see images.mode",
            )
    slices, least = settings["slices"], block["index"]["min_slices"]
    if slices is None:
        return
    if block["images"]["mode"] != "volume":
        raise UserError(
            "a picture has no slices", where=f"{where}.input.slices", remedy="set it to null"
        )
    first, end = slices if isinstance(slices, list) else (0, max(slices["only"]) + 1)
    if end > least or first >= end:
        raise UserError(
            f"{slices} does not fit volumes of at least {least} slices (index.min_slices)",
            where=f"{where}.input.slices",
            remedy="[first, end) counts from 0, end not included",
        )


def _check_pictures(recipe: Json, block: Json, where: str) -> None:
    """Pictures of one size are cut, then scaled, and have to fit networks of one size."""
    whole, cut = block["images"]["size"], recipe["input"]["crop"]
    if whole and cut and cut > whole:
        raise UserError(
            f"{cut} pixels can't be cut from {whole} (images.size)",
            where=f"{where}.input.crop",
            remedy=f"at most {whole}, or null",
        )
    shown, wanted = recipe["input"]["resize"] or cut or whole, recipe["model"]["options"]
    architecture = recipe["model"]["architecture"]
    least = least_size(architecture, _network(architecture, wanted) or "")
    if shown and shown < least:
        raise UserError(
            f"is too small for {shown} pixels",
            where=f"{where}.model.options.network",
            remedy=f"at least {least} a side (images.size, input.resize), or another network",
        )
    if shown and (wanted.get("size") or shown) != shown:
        raise UserError(
            f"the network's size is {wanted['size']}, its pictures have {shown} pixels",
            where=f"{where}.model.options.size",
            remedy=f"set it to {shown}, or change images.size, input.crop or input.resize",
        )


def _check_blur(blur: Json | None, where: str) -> None:
    if blur is None:
        return
    if not all(taps % 2 for taps in blur["kernel"]):
        raise UserError(
            f"{blur['kernel']} has no middle",
            where=f"{where}.augment.blur.kernel",
            remedy="two odd numbers of pixels",
        )


def _check_mix(arm: Arm, where: str) -> None:
    """Boxes are laid over pictures."""
    from_features = arm.sequence is not None and arm.sequence["frozen"]
    if from_features and (arm.recipe["mix"] or {}).get("method") == "cutmix":
        raise UserError(
            "cutmix is for pictures, and a frozen slice network's features are none",
            where=f"{where}.mix.method",
            remedy="mixup, or mix: null",
        )


def _check_network(model: Json, block: Json, where: str) -> None:
    """That a library has the network, without importing it."""
    architecture, mode = model["architecture"], block["images"]["mode"]
    if architecture in OVER_VOLUMES and mode != "volume":
        raise UserError(
            f"{architecture} is for whole volumes, and images.mode is {mode}",
            where=f"{where}.model.architecture",
            remedy="torchvision or timm, or another network for pictures",
        )
    if architecture in SOURCES:
        network = _network(architecture, model["options"]) or ""
        refuse_unknown(network, architecture, f"{where}.model.options.network")


def _check_pretrained(model: Json, pretrained: Json, where: str) -> None:
    name = model["pretrained"]
    if name == "none":
        return
    architecture = LAYERS_OF.get(model["architecture"], model["architecture"])
    network = _network(model["architecture"], model["options"])
    fitting = [
        each
        for each, block in pretrained.items()
        if block["architecture"] == architecture
        and ("options" not in block or _network(model["architecture"], block["options"]) == network)
    ]
    if name not in fitting:
        layers = architecture if network is None else f"{architecture} {network}"
        raise UserError(
            f"{name!r} is not allowed",
            where=f"{where}.model.pretrained",
            remedy=f"none, or weights of {layers}: {', '.join(fitting) or 'none'}",
        )


def _network(architecture: str, options: Json) -> str | None:
    """Which of a library's networks is meant, where an architecture is many."""
    usual: str | None = getattr(options_of(architecture), "network", None)
    return options.get("network", usual)
