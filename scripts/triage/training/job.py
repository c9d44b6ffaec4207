"""What the training scripts share: their arguments, their set-up, and their results."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from torch import nn

from triage import process
from triage.arguments import CORES, Arguments, Paths
from triage.command import log
from triage.data.image_store import Images
from triage.data.reference import Reference
from triage.errors import UserError
from triage.files import ensure_writable, read_json, sha256, write_json, write_rows
from triage.models import ModelSettings
from triage.models.libraries import SOURCES
from triage.settings import convert, parse
from triage.training import distributed, rng, tracking
from triage.training.cases import read_parts
from triage.training.checkpoint import Checkpoint, Stored
from triage.training.images import ImageData
from triage.training.inference import refuse_misfit
from triage.training.limit import TimeLimit
from triage.training.loop import HISTORY, State, Trained, Trainer
from triage.training.normalise import Normalisation
from triage.training.placement import place, takes_channels_last
from triage.training.precision import resolved
from triage.training.samples import Samples
from triage.training.settings import Recipe, Sequence, TrainingSettings
from triage.training.state import EVERY, Keeper, run_digest


@dataclass(frozen=True, kw_only=True)
class DeviceArguments(Arguments):
    """Where a network runs."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = CORES


@dataclass(frozen=True, kw_only=True)
class NetworkArguments(DeviceArguments):
    """Of every step that runs a network on images: their shards."""

    arrays: Paths
    tables: Paths

    def images(self) -> Images:
        """The images of all shards."""
        return Images.open(self.arrays, self.tables)


@dataclass(frozen=True, kw_only=True)
class ResumeArguments(Arguments):
    """Of a run that is saved now and then, and goes on where it stopped."""

    settings: Annotated[str, "settings of the run, as JSON"]
    code: Annotated[str, "digest of the code, which is recorded"]
    scratch: Annotated[Path, "folder of unfinished runs"]
    save_every: Annotated[float, "seconds between saves within an epoch"] = EVERY
    time_limit: Annotated[
        float | None,
        "minutes, near the end of which the state is saved; without it, what SLURM allows",
    ] = None


@dataclass(frozen=True, kw_only=True)
class PretrainArguments(DeviceArguments, ResumeArguments):
    """Of weights that are learned."""


@dataclass(frozen=True, kw_only=True)
class RunArguments(NetworkArguments, ResumeArguments):
    """Of every script that trains an arm."""

    train: Path
    val: Path
    gpus: Annotated[int, "how many; a process works on each"] = 1


@dataclass(frozen=True, kw_only=True)
class TrainingArguments(RunArguments):
    """Of those that write what they have trained."""

    checkpoint: Path
    history: Path
    record: Path


def prepare(
    arguments: DeviceArguments, deterministic: bool = True, gpus: int = 1, trains: bool = False
) -> torch.device:
    """Set torch up for this process, and give its device.

    Where several GPUs are asked for, the program starts anew in a process for each. What does not
    train computes in full float32.
    """
    distributed.claim(arguments.device, gpus)
    distributed.launch(gpus)
    torch.set_num_threads(arguments.threads)
    process.keep_freed_memory()
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # torch would fill all new memory, to show errors that are not made here.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    # As torch does by itself: TF32 in convolutions rounds more, but alike from run to run.
    torch.backends.cudnn.allow_tf32 = trains
    torch.backends.cuda.matmul.allow_tf32 = trains and not deterministic
    return distributed.local_device(arguments.device)


@dataclass(frozen=True)
class Blueprint:
    """What a network is made of, and how it wants its input.

    ``reference``: what its training images are like. ``seen``: the training cases of the network
    that it starts from.
    """

    model: ModelSettings
    sequence: Sequence | None
    normalisation: Normalisation
    reference: Reference
    seen: tuple[str, ...] = ()


class Job:
    """One run of a training script, from its arguments to its outputs.

    ``inputs`` are the files that the result depends on beside the images, for which the lists of
    cases have checksums.
    """

    def __init__(self, arguments: RunArguments, **inputs: Path | None) -> None:
        self.arguments = arguments
        self.settings = parse(TrainingSettings, arguments.settings)
        self.recipe: Recipe = self.settings.recipe
        self.packages: tuple[str, ...] = ("torch", "torchvision", "numpy")
        self.inputs = dict(train=arguments.train, val=arguments.val, **inputs)
        if isinstance(arguments, TrainingArguments):
            for path in (arguments.checkpoint, arguments.history, arguments.record):
                ensure_writable(path)
        self.device = prepare(arguments, self.recipe.deterministic, arguments.gpus, trains=True)
        self.outputs = self.settings.task.outputs(self.settings.classes)
        self.parts = read_parts(arguments.train, arguments.val, self.settings)
        self.images = arguments.images()

    def blueprint(self, start: Checkpoint, sequence: Sequence | None) -> Blueprint:
        """Of a network that goes on from ``start``."""
        seen = tuple(start.cases["train"])
        return Blueprint(start.model, sequence, start.normalisation, start.reference, seen)

    def preprocessing(self, statistics: Path) -> tuple[Normalisation, Reference]:
        """How images are normalised, and what those of the training part are like."""
        measured = read_json(statistics)
        normalisation = Normalisation.of(self.recipe.input, measured, self.images.channels)
        return normalisation, convert(Reference, measured["reference"], "statistics.reference")

    def group(self) -> AbstractContextManager[None]:
        """The processes of this job joined, where there are several."""
        return distributed.group(self.device)

    def seed_weights(self) -> None:
        """Make the first weights a function of the seed."""
        torch.manual_seed(rng.generator_seed(self.settings.seed))

    def place(self, network: nn.Module) -> nn.Module:
        """The network on its device, in the memory format that suits it."""
        return place(network, self.device, self.recipe)

    def image_samples(
        self, network: nn.Module, normalisation: Normalisation, whole: bool
    ) -> tuple[Samples, Samples | None]:
        """Training and validation samples of images, or of whole volumes."""
        data = ImageData(
            self.images,
            self.parts.names,
            self.recipe.input,
            normalisation,
            self.device,
            takes_channels_last(network, self.recipe),
        )
        train = data.samples(
            self.parts.train, self.outputs, whole, self.recipe.augment, self.settings.seed
        )
        val = data.samples(self.parts.val, self.outputs, whole) if len(self.parts.val) else None
        return train, val

    def run(
        self,
        network: nn.Module,
        samples: tuple[Samples, Samples | None],
        blueprint: Blueprint,
        whole_state: Callable[[State], State] = lambda state: state,
    ) -> None:
        """Train ``network`` and write the outputs.

        ``whole_state`` makes the state of the whole network from that of a part which was trained.
        """
        started = time.monotonic()
        if self.recipe.model.architecture in SOURCES:
            refuse_misfit(network, samples[0])
        keeper = self.keeper()
        limit = TimeLimit.of_job(self.arguments.time_limit)
        with tracking.opened(self.settings) as watch:
            seed, task = self.settings.seed, self.settings.task
            trainer = Trainer(
                network, *samples, self.recipe, seed, self.outputs, keeper, watch, limit, task
            )
            with _batches_large_enough():
                trained = trainer.run()
        if not distributed.is_main_process():
            return
        record = self.record(trained, network, time.monotonic() - started)
        with trainer.handing_over(may_go_on=True):
            self.write(trained, whole_state(trained.weights), blueprint, record)
        log.info("kept epoch %d of %d", trained.epoch, len(trained.history))

    def write(
        self, trained: Trained, weights: State, blueprint: Blueprint, record: dict[str, Any]
    ) -> None:
        """Write the outputs; ``weights`` are those of the whole network."""
        to = self.arguments
        assert isinstance(to, TrainingArguments)
        self._checkpoint(trained.epoch, weights, blueprint).save(to.checkpoint)
        write_rows(_history(trained), list(HISTORY), to.history)
        write_json(record, to.record)

    def keeper(self, purpose: str = "") -> Keeper:
        """Of the state of this run; one for another ``purpose`` has its own file."""
        files = [path for path in self.inputs.values() if path is not None]
        settings = json.loads(self.arguments.settings)
        settings["recipe"].pop("epochs", None)
        digest = run_digest(json.dumps(settings) + purpose, self.arguments.code, files)
        run = self.settings
        name = f"{run.study}-{run.arm}-fold{run.fold}-seed{run.seed}"
        folder = self.arguments.scratch
        keeper = Keeper(folder / f"{name}-{digest}.state", self.arguments.save_every)
        if not purpose and not any(folder.glob(f"{name}-{digest}.*")):
            self._leave_others(sorted(folder.glob(f"{name}-*.*")))
        return keeper

    def _leave_others(self, states: list[Path]) -> None:
        """Say that ``states`` of this run are of no use to it. Those of ended trainings, which may
        have seen cases that were withdrawn since, are deleted."""
        if states and distributed.is_main_process():
            log.info(
                "%s is of other settings, code or data: this training starts at its first epoch",
                states[0],
            )
        for path in states:
            if path.suffix == ".ended":
                with suppress(OSError):  # another user's, in a folder of theirs
                    path.unlink()

    def _checkpoint(self, epoch: int, weights: State, blueprint: Blueprint) -> Checkpoint:
        run = self.settings
        return Checkpoint(
            study=run.study,
            arm=run.arm,
            stage=run.stage,
            fold=run.fold,
            seed=run.seed,
            task=run.task,
            outputs=self.outputs,
            channels=self.images.channels,
            model=blueprint.model,
            sequence=blueprint.sequence,
            images=run.images,
            stored=Stored(self.images.height, self.images.width, str(self.images.dtype)),
            input=self.recipe.input,
            normalisation=blueprint.normalisation,
            reference=blueprint.reference,
            weights=weights,
            epoch=epoch,
            cases={
                "train": sorted({*self.parts.train.names, *blueprint.seen}),
                "val": list(self.parts.val.names),
            },
            record=self._origin(),
        )

    def _origin(self) -> dict[str, Any]:
        """What the result depends on: equal runs give equal records."""
        data = {name: sha256(path) for name, path in self.inputs.items() if path is not None}
        versions = {name: importlib.metadata.version(name) for name in self.packages}
        return {
            "settings": json.loads(self.arguments.settings),
            "code": self.arguments.code,
            "versions": {"python": platform.python_version()} | versions,
            "data": data,
        }

    def record(self, trained: Trained, network: nn.Module, seconds: float) -> dict[str, Any]:
        """How the run went: differs from run to run, so no step reads it but the report."""
        weights = list(network.parameters())
        used = resource.getrusage(resource.RUSAGE_SELF)
        return self._origin() | {
            "git_commit": _git_commit(),
            "device": _device_name(self.device),
            "precision": resolved(self.recipe.precision, self.device),
            "processes": distributed.WORLD,
            "threads": torch.get_num_threads(),
            "seconds": round(seconds, 3),
            "processor_seconds": round(used.ru_utime + used.ru_stime, 3),
            "peak_memory_mb": used.ru_maxrss // 1024,
            "seconds_of_epochs": [round(each, 3) for each in trained.seconds],
            "parameters": sum(each.numel() for each in weights),
            "trained_parameters": sum(each.numel() for each in weights if each.requires_grad),
            "cases": {"train": len(self.parts.train), "val": len(self.parts.val)},
        }


@contextmanager
def _batches_large_enough() -> Iterator[None]:
    """Raise UserError where batch norm gets a single value of a channel, which has no spread."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            "is too small: batch norm needs two values of a channel in each batch",
            where="recipe.batch_size",
            remedy="set it to 2 or more",
        ) from error


def _history(trained: Trained) -> list[dict[str, str]]:
    return [
        {name: "" if math.isnan(value) else f"{value:.9g}" for name, value in row.items()}
        for row in trained.history
    ]


def _git_commit() -> str | None:
    """The commit of the code, marked where files differ from it; None outside a repository."""
    arguments = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    folder = Path(__file__).parent
    try:
        found = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} processor, {os.cpu_count()} cores"
