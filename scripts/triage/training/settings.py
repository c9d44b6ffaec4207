"""The settings of training. The comments in params.yaml say when to change what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from triage.data.shards import Decoding
from triage.models import ModelSettings
from triage.task import Task


@dataclass(frozen=True)
class Optimizer:
    name: Literal["adam", "adamw", "sgd"]
    lr: float
    weight_decay: float
    momentum: float


@dataclass(frozen=True)
class Schedule:
    name: Literal["constant", "plateau", "exponential", "cosine"]
    factor: float
    patience: int
    min_lr: float
    warmup_epochs: int


@dataclass(frozen=True)
class Stopping:
    by: Literal["loss", "accuracy", "auc", "f1"]
    patience: int | None
    min_delta: float
    min_epochs: int


@dataclass(frozen=True)
class Select:
    by: Literal["accuracy", "loss", "auc", "f1", "last"]


@dataclass(frozen=True)
class Loss:
    class_weights: Literal["none", "inverse"]
    pos_weight: Literal["none", "balanced"]
    label_smoothing: float


@dataclass(frozen=True)
class Balance:
    method: Literal["none", "oversample", "hard_examples"]
    augment: Literal["all", "copies"]


@dataclass(frozen=True)
class Only:
    only: tuple[int, ...]


@dataclass(frozen=True)
class Input:
    slices: tuple[int, int] | Only | None
    crop: int | None
    resize: int | None
    normalise: Literal["training", "fixed", "volume"]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Rotate:
    probability: float
    degrees: float
    expand: bool


@dataclass(frozen=True)
class Perspective:
    probability: float
    distortion: float


@dataclass(frozen=True)
class Affine:
    probability: float
    degrees: float
    translate: float
    scale: tuple[float, float]
    shear: float


@dataclass(frozen=True)
class Crop:
    probability: float
    scale: tuple[float, float]


@dataclass(frozen=True)
class Blur:
    probability: float
    kernel: tuple[int, int]
    sigma: tuple[float, float]


@dataclass(frozen=True)
class Jitter:
    probability: float
    brightness: float
    contrast: float
    saturation: float
    hue: float


@dataclass(frozen=True)
class Augment:
    per: Literal["case", "slice"]
    flip: float
    flip_vertical: float
    choose: Literal["all", "one"]
    rotate: Rotate
    perspective: Perspective | None
    affine: Affine | None
    crop: Crop | None
    blur: Blur | None
    jitter: Jitter | None


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    epochs: int
    batch_size: int
    grad_accum: int
    optimizer: Optimizer
    schedule: Schedule
    stopping: Stopping
    select: Select
    train_on: tuple[Literal["train", "val"], ...]
    grad_clip_norm: float | None
    ema_decay: float | None
    precision: Literal["auto", "float32", "bfloat16", "float16"]
    channels_last: bool
    compile: bool
    deterministic: bool
    loss: Loss
    balance: Balance
    exclude_votes: tuple[int, ...]
    max_skipped: float
    input: Input
    augment: Augment
    model: ModelSettings


@dataclass(frozen=True)
class Sequence:
    """The model over the features of a volume's slices.

    ``frozen``: the slice network stays as it is, so that its features are computed once. If not,
    its weights stay, but its batch norm drifts, as published.
    """

    hidden: int
    layers: int
    pooling: Literal["final", "last", "attention"]
    frozen: bool


@dataclass(frozen=True)
class TrainingSettings:
    """One run of one stage. ``images`` says how files became the images of the store."""

    study: str
    stage: Literal["training", "sequence", "finetuning"]
    arm: str
    fold: int
    seed: int
    classes: tuple[str, ...]
    task: Task
    images: Decoding
    recipe: Recipe
    sequence: Sequence | None


@dataclass(frozen=True)
class FeatureSettings:
    """Cached features of a frozen slice network: of images as they are, and of augmented copies."""

    augmented_copies: int
    augment: Augment | None
    seed: int
