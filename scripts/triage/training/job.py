"""What the training scripts share: their options, their set-up, and their results."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from triage import command, process
from triage.command import log
from triage.data.image_store import Images
from triage.data.reference import Reference
from triage.files import ensure_writable, sha256, write_json, write_rows
from triage.models import ModelSettings
from triage.settings import parse
from triage.training import distributed, rng, tracking
from triage.training.cases import read_parts
from triage.training.checkpoint import Checkpoint, Stored
from triage.training.images import ImageData
from triage.training.limit import TimeLimit
from triage.training.loop import HISTORY, State, Trained, Trainer
from triage.training.normalise import Normalisation
from triage.training.placement import place, takes_channels_last
from triage.training.samples import Samples
from triage.training.settings import Recipe, Sequence, TrainingSettings
from triage.training.state import EVERY, Keeper, run_digest


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options of every step that runs a network on images."""
    options = command.parser(description)
    options.add_argument("--arrays", type=Path, nargs="+", required=True, help="image shards")
    options.add_argument("--tables", type=Path, nargs="+", required=True, help="their tables")
    add_device(options)
    return options


def add_device(options: argparse.ArgumentParser) -> None:
    """The option of where a network runs."""
    options.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def training_options(description: str | None) -> argparse.ArgumentParser:
    """The options of every script that trains."""
    options = parser(description)
    add_resume(options)
    options.add_argument("--settings", required=True, help="settings of the run, as JSON")
    options.add_argument("--train", type=Path, required=True, help="the list of training cases")
    options.add_argument("--val", type=Path, required=True, help="the list of validation cases")
    options.add_argument("--gpus", type=int, default=1, help="how many; a process works on each")
    return options


def add_resume(options: argparse.ArgumentParser) -> None:
    """The options of a run that is saved now and then, and goes on where it stopped."""
    options.add_argument("--code", required=True, help="digest of the code, which is recorded")
    options.add_argument("--scratch", type=Path, required=True, help="folder of unfinished runs")
    options.add_argument(
        "--save-every", type=float, default=EVERY, help="seconds between saves within an epoch"
    )
    options.add_argument(
        "--time-limit",
        type=float,
        help="minutes, near the end of which the state is saved; without it, what SLURM allows",
    )


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of every training script: those, and its outputs."""
    options = training_options(description)
    options.add_argument("--checkpoint", type=Path, required=True, help="output: the network")
    options.add_argument("--history", type=Path, required=True, help="output: a row an epoch")
    options.add_argument("--record", type=Path, required=True, help="output: how the run went")
    return options


def prepare(
    options: argparse.Namespace, deterministic: bool = True, gpus: int = 1, trains: bool = False
) -> torch.device:
    """Set torch up for this process, and give its device.

    Where several GPUs are asked for, the program starts anew in a process for each. What does not
    train computes in full float32.
    """
    distributed.claim(options.device, gpus)
    distributed.launch(gpus)
    torch.set_num_threads(options.threads)
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
    return distributed.local_device(options.device)


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
    """One run of a training script, from its options to its outputs.

    ``inputs`` are the files that the result depends on beside the images, for which the lists of
    cases have checksums.
    """

    def __init__(self, options: argparse.Namespace, **inputs: Path | None) -> None:
        self.options = options
        self.settings = parse(TrainingSettings, options.settings)
        self.recipe: Recipe = self.settings.recipe
        self.inputs = {"train": options.train, "val": options.val} | inputs
        for name in ("checkpoint", "history", "record", "output"):
            if name in options:
                ensure_writable(getattr(options, name))
        self.device = prepare(options, self.recipe.deterministic, options.gpus, trains=True)
        self.outputs = self.settings.task.outputs(self.settings.classes)
        self.parts = read_parts(options.train, options.val, self.settings)
        self.images = Images.open(options.arrays, options.tables)

    def blueprint(self, start: Checkpoint, sequence: Sequence | None) -> Blueprint:
        """Of a network that goes on from ``start``."""
        seen = tuple(start.cases["train"])
        return Blueprint(start.model, sequence, start.normalisation, start.reference, seen)

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
        keeper = self.keeper()
        limit = TimeLimit.of_job(self.options.time_limit)
        with tracking.opened(self.settings) as watch:
            seed, task = self.settings.seed, self.settings.task
            trainer = Trainer(
                network, *samples, self.recipe, seed, self.outputs, keeper, watch, limit, task
            )
            trained = trainer.run()
        if not distributed.is_main_process():
            return
        checkpoint = self._checkpoint(trained.epoch, whole_state(trained.weights), blueprint)
        record = self._record(trained, network, time.monotonic() - started)
        with trainer.handing_over():
            checkpoint.save(self.options.checkpoint)
            write_rows(_history(trained), list(HISTORY), self.options.history)
            write_json(record, self.options.record)
        log.info("kept epoch %d of %d", trained.epoch, len(trained.history))

    def keeper(self, purpose: str = "") -> Keeper:
        """Of the state of this run; one for another ``purpose`` has its own file."""
        files = [path for path in self.inputs.values() if path is not None]
        digest = run_digest(
            self.options.settings + purpose,
            self.options.code,
            files,
        )
        run = self.settings
        name = f"{run.study}-{run.arm}-fold{run.fold}-seed{run.seed}-{digest}.state"
        return Keeper(self.options.scratch / name, self.options.save_every)

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
        packages = ("torch", "torchvision", "numpy")
        versions = {name: importlib.metadata.version(name) for name in packages}
        return {
            "settings": json.loads(self.options.settings),
            "code": self.options.code,
            "versions": {"python": platform.python_version()} | versions,
            "data": data,
        }

    def _record(self, trained: Trained, network: nn.Module, seconds: float) -> dict[str, Any]:
        """How the run went: differs from run to run, so no step reads it but the report."""
        weights = list(network.parameters())
        used = resource.getrusage(resource.RUSAGE_SELF)
        return self._origin() | {
            "git_commit": _git_commit(),
            "device": _device_name(self.device),
            "processes": distributed.WORLD,
            "threads": self.options.threads,
            "seconds": round(seconds, 3),
            "processor_seconds": round(used.ru_utime + used.ru_stime, 3),
            "peak_memory_mb": used.ru_maxrss // 1024,
            "seconds_of_epochs": [round(each, 3) for each in trained.seconds],
            "parameters": sum(each.numel() for each in weights),
            "trained_parameters": sum(each.numel() for each in weights if each.requires_grad),
            "cases": {"train": len(self.parts.train), "val": len(self.parts.val)},
        }


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
