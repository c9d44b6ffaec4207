"""One contestant of bench_peers in a process of its own: trains, and prints what it took, as JSON.

All read the same pictures, and have the same network, optimizer, batch, flips and validation.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as loss_of
from torch.utils.data import DataLoader, Dataset

import training
from triage.data.image_store import Images, Shard
from triage.models import ModelSettings, build
from triage.training import placement
from triage.training.cases import Cases
from triage.training.images import ImageData
from triage.training.loop import Trainer
from triage.training.normalise import Normalisation
from triage.training.scores import scores
from triage.training.settings import Rotate
from triage.training.state import Keeper

LR, MEAN, STD, FLIP = 1e-3, 127.0, 73.0, 0.5
NETWORKS = {
    "resnet18": (ModelSettings("resnet18"), 3),
    "small": (ModelSettings("lesion_cnn", options={"norm": "batch", "dropout": [0.2, 0.5]}), 3),
    "cnn5": (ModelSettings("cnn5"), 1),
}


@dataclasses.dataclass(frozen=True)
class Race:
    """The pictures [paths] with their labels, of which the last ``val`` are for validation."""

    network: str
    paths: list[str]
    labels: list[int]
    val: int
    size: int
    batch: int
    epochs: int
    threads: int
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    @property
    def channels(self) -> int:
        return NETWORKS[self.network][1]

    def parts(self) -> tuple[range, range]:
        border = len(self.paths) - self.val
        return range(border), range(border, len(self.paths))

    def net(self) -> nn.Module:
        torch.manual_seed(self.seed)
        network = build(NETWORKS[self.network][0], self.channels, 1).to(self.device)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def autocast(self) -> torch.autocast:
        kind = torch.device(self.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bfloat16")

    def picture(self, row: int) -> Image.Image:
        with Image.open(self.paths[row]) as picture:
            kind = "RGB" if self.channels == 3 else "L"
            return picture.convert(kind).resize((self.size, self.size), Image.Resampling.BILINEAR)

    def pixels(self, row: int) -> np.ndarray:
        return np.asarray(self.picture(row)).reshape(self.size, self.size, -1).transpose(2, 0, 1)


def ours(race: Race, precision: Literal["auto"] | None = None) -> tuple[list[float], float]:
    """This project's trainer on pictures that were decoded once, as the workflow has them."""
    train, val = race.parts()
    names = tuple(f"case{row:06d}" for row in range(len(race.paths)))
    stack = np.stack([race.pixels(row) for row in range(len(names))])
    store = Images([Shard.of(stack, names)])
    usual = training.recipe("melanoma", "resnet18")
    recipe = dataclasses.replace(
        usual,
        model=NETWORKS[race.network][0],
        epochs=race.epochs,
        batch_size=race.batch,
        precision=precision or race.precision,
        optimizer=dataclasses.replace(usual.optimizer, name="adam", lr=LR),
        stopping=dataclasses.replace(usual.stopping, patience=None),
        augment=dataclasses.replace(
            usual.augment, flip=FLIP, flip_vertical=0.0, rotate=Rotate(0.0, 0.0, False),
            perspective=None, affine=None, crop=None, blur=None, jitter=None,
        ),
    )  # fmt: skip
    device = training.job.prepare(
        argparse.Namespace(threads=race.threads, device=race.device), recipe.deterministic
    )
    network = placement.place(race.net(), device, recipe)
    normalisation = Normalisation((MEAN,) * race.channels, (STD,) * race.channels)
    last = placement.takes_channels_last(network, recipe)
    data = ImageData(store, names, recipe.input, normalisation, device, last)

    def cases(rows: range) -> Cases:
        labels = tuple(("no", "yes")[race.labels[row]] for row in rows)
        return Cases(names[rows.start : rows.stop], labels)

    learn = data.samples(cases(train), ("yes",), False, recipe.augment, 1 + race.seed)
    watch = data.samples(cases(val), ("yes",), False)
    keeper = Keeper(Path(tempfile.mkdtemp()) / "run.state", 1e9)
    trained = Trainer(network, learn, watch, recipe, 1 + race.seed, ("yes",), keeper).run()
    return trained.seconds, trained.history[-1]["val_auc"]


def _normal(pixels: Tensor) -> Tensor:
    return (pixels.float() - MEAN) / STD


def _train(
    race: Race, batches: Callable[[], Iterable[Any]], val: Callable[[], Iterable[Any]]
) -> tuple[list[float], float]:
    """A plain loop over batches of inputs and labels."""
    network = race.net()
    optimizer = torch.optim.Adam(network.parameters(), LR)

    def loss_and_logits(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        inputs = inputs.to(race.device, memory_format=torch.channels_last, non_blocking=True)
        with race.autocast():
            logits = network(inputs).float()
        return loss_of(logits, labels.to(race.device).float()[:, None]), logits

    seconds, auc = [], 0.0
    for _ in range(race.epochs):
        started = time.perf_counter()
        network.train()
        for inputs, labels in batches():
            optimizer.zero_grad()
            loss_and_logits(inputs, labels)[0].backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            found = [(loss_and_logits(inputs, labels)[1], labels) for inputs, labels in val()]
        logits, labels = (torch.cat(each).cpu() for each in zip(*found, strict=True))
        auc = scores(logits.numpy(), labels.float()[:, None].numpy())["auc"]
        seconds.append(time.perf_counter() - started)
    return seconds, auc


def plain(race: Race) -> tuple[list[float], float]:
    """All pictures in memory as bytes, and a loop of a few lines."""
    stack = torch.from_numpy(np.stack([race.pixels(row) for row in range(len(race.paths))]))
    stack, labels = stack.to(race.device), torch.tensor(race.labels, device=race.device)
    train, val = (torch.tensor(part) for part in race.parts())

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for rows in train[torch.randperm(len(train))].split(race.batch):
            flips = torch.rand(len(rows), 1, 1, 1, device=race.device) < FLIP
            inputs = _normal(stack[rows])
            yield torch.where(flips, inputs.flip(-1), inputs), labels[rows]

    return _train(
        race,
        batches,
        lambda: ((_normal(stack[rows]), labels[rows]) for rows in val.split(race.batch)),
    )


class Files(Dataset[tuple[Tensor, int]]):
    """Pictures that are decoded whenever they are asked for."""

    def __init__(self, race: Race, rows: range, transform: Any = None) -> None:
        self.race, self.rows, self.transform = race, rows, transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        row = self.rows[place]
        return self.transform(self.race.picture(row)), self.race.labels[row]


def _loaders(race: Race) -> tuple[DataLoader, DataLoader]:
    """torchvision's transforms behind torch's loader, with a worker for each thread."""
    from triage.models.vision import transforms

    same = [transforms.PILToTensor(), transforms.Lambda(_normal)]
    flip = transforms.RandomHorizontalFlip(FLIP)
    train, val = race.parts()
    options: Any = {
        "batch_size": race.batch,
        "num_workers": race.threads,
        "persistent_workers": True,
        "multiprocessing_context": "fork",
    }
    return (
        DataLoader(Files(race, train, transforms.Compose([flip, *same])), shuffle=True, **options),
        DataLoader(Files(race, val, transforms.Compose(same)), **options),
    )


def torchvision(race: Race) -> tuple[list[float], float]:
    train, val = _loaders(race)
    return _train(race, lambda: train, lambda: val)


def lightning(race: Race) -> tuple[list[float], float]:
    from lightning import pytorch as pl

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = race.net()
            self.found: list[tuple[Tensor, Tensor]] = []
            self.seconds: list[float] = []
            self.auc = 0.0

        def training_step(self, batch: Any, number: int) -> Tensor:
            return loss_of(self.network(batch[0]), batch[1].float()[:, None])

        def validation_step(self, batch: Any, number: int) -> None:
            self.found.append((self.network(batch[0]), batch[1]))

        def on_train_epoch_start(self) -> None:
            self.started, self.found = time.perf_counter(), []

        def on_train_epoch_end(self) -> None:  # after validation
            logits, labels = (torch.cat(each).cpu() for each in zip(*self.found, strict=True))
            self.auc = scores(logits.float().numpy(), labels.float()[:, None].numpy())["auc"]
            self.seconds.append(time.perf_counter() - self.started)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), LR)

    module = Module()
    quiet: Any = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    trainer = pl.Trainer(
        max_epochs=race.epochs,
        accelerator="cpu" if race.device == "cpu" else "gpu",
        precision="bf16-mixed" if race.precision == "bfloat16" else "32-true",
        num_sanity_val_steps=0,
        **quiet,
    )
    trainer.fit(module, *_loaders(race))
    return module.seconds, module.auc


def monai(race: Race) -> tuple[list[float], float]:
    from monai.data import CacheDataset, ThreadDataLoader
    from monai.transforms import Compose, Lambda, RandFlip

    def read(row: int) -> Tensor:
        return _normal(torch.from_numpy(race.pixels(row).copy()))

    train, val = race.parts()
    flip = RandFlip(FLIP, spatial_axis=1)

    def loader(rows: range, changes: list[Any], shuffle: bool) -> Callable[[], Iterator[Any]]:
        cached = CacheDataset(list(rows), Compose([Lambda(read), *changes]), progress=False)
        labelled = [race.labels[row] for row in rows]

        class Labelled(Dataset[Any]):
            def __len__(self) -> int:
                return len(labelled)

            def __getitem__(self, place: int) -> Any:
                return torch.as_tensor(cached[place]), labelled[place]

        made = ThreadDataLoader(
            Labelled(), batch_size=race.batch, shuffle=shuffle, num_workers=0, buffer_size=3
        )
        return lambda: iter(made)

    return _train(race, loader(train, [flip], True), loader(val, [], False))


def timm(race: Race) -> tuple[list[float], float]:
    from timm.data import create_loader

    def loader(rows: range, is_training: bool) -> Any:
        # The loader itself gives the pictures its transform; cut to the whole picture.
        return create_loader(
            Files(race, rows), (race.channels, race.size, race.size), race.batch,
            is_training=is_training, no_aug=not is_training, scale=(1.0, 1.0), ratio=(1.0, 1.0),
            hflip=FLIP, color_jitter=None, crop_pct=1.0, use_prefetcher=False,
            mean=(MEAN / 255,) * race.channels, std=(STD / 255,) * race.channels,
            num_workers=race.threads, persistent_workers=True, device=torch.device("cpu"),
        )  # fmt: skip

    train, val = race.parts()
    learn, watch = loader(train, True), loader(val, False)
    return _train(race, lambda: learn, lambda: watch)


CONTESTANTS: dict[str, Callable[[Race], tuple[list[float], float]]] = {
    "ours": ours,
    "ours, precision: auto": partial(ours, precision="auto"),
    "plain loop in memory": plain,
    "torchvision + loader": torchvision,
    "Lightning": lightning,
    "MONAI CacheDataset": monai,
    "timm loader": timm,
}
# What must be installed for a contestant, beside what the project needs.
PACKAGES = {"Lightning": "lightning", "MONAI CacheDataset": "monai", "timm loader": "timm"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("contestant", choices=CONTESTANTS)
    options.add_argument("race", help="as JSON")
    arguments = options.parse_args()
    race = Race(**json.loads(Path(arguments.race).read_text(encoding="utf-8")))
    torch.set_num_threads(race.threads)
    started = time.perf_counter()
    seconds, auc = CONTESTANTS[arguments.contestant](race)
    gc.collect()  # ends the loaders' workers, so that their time counts
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    found = {
        "seconds_of_epochs": seconds,
        "seconds": time.perf_counter() - started,
        "auc": auc,
        "processor_seconds": sum(each.ru_utime + each.ru_stime for each in used),
        "memory_mb": max(each.ru_maxrss for each in used) // 1024,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
