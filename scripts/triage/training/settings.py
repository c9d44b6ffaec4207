"""The settings of training: each is declared here, with its bounds, its default and what it does.

``params.yaml`` says what differs. docs/settings.md is made of these declarations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from triage.constraints import (
    Count,
    Cut,
    Degrees,
    Dropout,
    Natural,
    NotNegative,
    Ordered,
    Positive,
    Share,
    Unique,
)
from triage.data.shards import Decoding
from triage.models import ModelSettings
from triage.task import Task

Range = Annotated[tuple[Positive, Positive], Ordered()]
Flip = Literal["horizontal", "vertical"]


@dataclass(frozen=True)
class Optimizer:
    """What changes the weights."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    """The method."""
    lr: Annotated[float, Gt(0), Le(10)] = 1e-4
    """The learning rate, before the schedule changes it."""
    weight_decay: NotNegative = 0.0
    """How strongly weights are pulled towards 0."""
    momentum: Dropout = 0.0
    """Share of the last step that the next one goes on with; sgd only."""
    first_layer: Annotated[float, Gt(0), Le(1)] = 1.0
    """Rate of the first layer, as a share of lr, for fine-tuning; it rises to the last in steps."""


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes from epoch to epoch."""

    name: Literal["constant", "plateau", "exponential", "cosine"] = "constant"
    """plateau: by the validation loss; cosine: down to min_lr over all epochs."""
    factor: Annotated[float, Gt(0), Le(1)] = 0.3
    """plateau: lr x factor after too many epochs without a better loss; exponential: each epoch."""
    patience: Natural = 2
    """plateau: epochs without a better loss that are waited for."""
    min_lr: NotNegative = 1e-6
    """No schedule goes below this learning rate, except while warming up."""
    warmup_epochs: Natural = 0
    """Epochs of linear rise at the start."""

    @property
    def needs_end(self) -> bool:
        """Whether the rate depends on the number of epochs that there will be."""
        return self.name == "cosine"


@dataclass(frozen=True)
class Stopping:
    """Early stopping. The best weights are kept anyway."""

    by: Literal["loss", "accuracy", "auc", "f1"] = "loss"
    """What has to improve on validation."""
    patience: Natural | None = None
    """Epochs without improvement; null: never stop early."""
    min_delta: NotNegative = 0.0
    """A smaller improvement counts as none."""
    min_epochs: Natural = 0
    """Epochs that are trained in any case."""


@dataclass(frozen=True)
class Select:
    """Which epoch's weights are kept."""

    by: Literal["accuracy", "loss", "auc", "f1", "last"] = "accuracy"
    """The best of this on validation; last: those of the last epoch."""


@dataclass(frozen=True)
class Loss:
    """Cross-entropy, and how it weighs."""

    class_weights: Literal["none", "inverse"] = "none"
    """inverse: each class weighs the other's share."""
    pos_weight: Literal["none", "balanced"] = "none"
    """balanced: positives of an output weigh negatives / positives."""
    label_smoothing: Dropout = 0.0
    """How far labels are moved towards the middle."""


@dataclass(frozen=True)
class Balance:
    """More samples of the smaller class in an epoch."""

    method: Literal["none", "oversample", "hard_examples"] = "none"
    """hard_examples: the more often, the higher their loss."""
    augment: Literal["all", "copies"] = "all"
    """copies: only the samples that balancing adds are augmented."""


@dataclass(frozen=True)
class Only:
    """Some slices of a volume, by number."""

    only: Annotated[tuple[Natural, ...], MinLen(1), Unique()]
    """Their numbers, from 0."""


@dataclass(frozen=True)
class Input:
    """What a network sees of an image."""

    slices: tuple[Natural, Natural] | Only | None = None
    """[first, end) of a volume's slices, or {only: [3, 5]}; null: all there are."""
    crop: Cut | None = None
    """Pixels of a centre crop; null: the whole picture."""
    resize: Cut | None = None
    """Pixels a side that the crop is scaled to; null: as it is."""
    normalise: Literal["training", "fixed", "volume"] = "training"
    """By statistics of the training part, by the values below, or each volume by its own."""
    mean: tuple[float, ...] = ()
    """fixed: of each channel."""
    std: tuple[Positive, ...] = ()
    """fixed: the standard deviation of each channel."""


@dataclass(frozen=True)
class Change:
    """A random change of an image."""

    probability: Share
    """That an image is changed."""


@dataclass(frozen=True)
class Rotate(Change):
    """Turns about the middle."""

    probability: Share = 0.0
    degrees: Degrees = 0.0
    """At most, to both sides."""
    expand: bool = False
    """Shrink what is turned, so that no corner is lost."""


@dataclass(frozen=True)
class Perspective(Change):
    """Corners that are moved, each by itself."""

    distortion: Share
    """At most, as a share of half the side."""


@dataclass(frozen=True)
class Affine(Change):
    """Turning, moving, scaling and shearing, in one."""

    degrees: Degrees
    """At most, to both sides."""
    translate: Share
    """At most, as a share of the side."""
    scale: Range
    """From and to."""
    shear: Annotated[float, Ge(0), Le(45)]
    """Degrees, at most, to both sides."""


@dataclass(frozen=True)
class Crop(Change):
    """A part of the image, blown up to the whole."""

    scale: Range
    """From and to, as shares of the area."""


@dataclass(frozen=True)
class Blur(Change):
    """Gaussian blur."""

    kernel: tuple[Count, Count]
    """Pixels across and down, both odd."""
    sigma: Range
    """Standard deviation in pixels, from and to."""


@dataclass(frozen=True)
class Jitter(Change):
    """Changes of colour, each at most by a share to both sides."""

    brightness: Share
    """Change of brightness."""
    contrast: Share
    """Change of contrast."""
    saturation: Share
    """Change of saturation."""
    hue: Annotated[float, Ge(0), Le(0.5)]
    """Change of hue, as a share of the colour circle."""


@dataclass(frozen=True)
class Gamma(Change):
    """A curve of intensities."""

    range: Range
    """Power of intensities, as shares of 255 or, of scans and pictures of more than 8 bits, of
    each image's and channel's own range: from 0, or a lesser value, to its greatest."""


@dataclass(frozen=True)
class Noise(Change):
    """Gaussian noise of each pixel and channel."""

    std: NotNegative
    """Standard deviation, as a share of 255 or of the range that gamma has: 0.05 is 13 of 255."""


@dataclass(frozen=True)
class Augment:
    """Random changes of the training images, drawn anew in each epoch."""

    per: Literal["case", "slice"] = "case"
    """One draw for all slices of a case, noise but for its grain; slice tears a volume apart."""
    flip: Share = 0.0
    """Probability of a left-right flip."""
    flip_vertical: Share = 0.0
    """Probability of an upside-down flip."""
    choose: Literal["all", "one"] = "all"
    """one: one of rotate, perspective and affine an image, at random."""
    rotate: Rotate = Rotate()
    """Turning."""
    perspective: Perspective | None = None
    """For example {probability: 0.5, distortion: 0.5}."""
    affine: Affine | None = None
    """{probability, degrees, translate, scale: [0.9, 1.1], shear}"""
    crop: Crop | None = None
    """For example {probability: 1.0, scale: [0.8, 1.0]}."""
    blur: Blur | None = None
    """For example {probability: 0.5, kernel: [5, 5], sigma: [0.1, 2.0]}."""
    jitter: Jitter | None = None
    """{probability, brightness, contrast, saturation, hue}"""
    gamma: Gamma | None = None
    """For example {probability: 0.5, range: [0.7, 1.5]}; for grey pictures and scans."""
    noise: Noise | None = None
    """For example {probability: 0.5, std: 0.05}; comes last."""


@dataclass(frozen=True)
class Mix:
    """Training samples that are mixed with another one, and their labels with them."""

    method: Literal["mixup", "cutmix"]
    """mixup: a mean of both; cutmix: a box of the one lies over the other."""
    probability: Share
    """That a sample is mixed."""
    alpha: Positive
    """How evenly: shares are Beta(alpha, alpha), and the larger one is the sample's own. Usual are
    0.2 for mixup and 1 for cutmix."""


@dataclass(frozen=True)
class Predict:
    """What a trained network is shown of a case. Changing it trains nothing anew."""

    flips: Annotated[tuple[Flip, ...], Unique()] = ()
    """Also each image, or each slice of a volume, in these reflections; the mean counts. None where
    left and right, or up and down, differ."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. A study's stage and an arm override single keys."""

    epochs: Count = 30
    """Passes over the training part."""
    batch_size: Count = 16
    """Samples a batch."""
    grad_accum: Count = 1
    """Batches that an optimizer step sums over; raise it when memory is short."""
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    stopping: Stopping = Stopping()
    select: Select = Select()
    train_on: tuple[Literal["train"]] | tuple[Literal["train"], Literal["val"]] = ("train",)
    """[train, val]: on all of it; needs select.by: last, and thresholds are 0.5."""
    grad_clip_norm: Positive | None = None
    """Largest norm of the gradient; null: any."""
    ema_decay: Annotated[float, Gt(0), Lt(1)] | None = None
    """Decay of a moving average of the weights, for example 0.999; it is less at first."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    """Half precision pays on a GPU; auto: bfloat16 where the GPU or processor is fast at it."""
    channels_last: bool = True
    """Keep images with their channels last in memory, which convolutions are faster on."""
    compile: bool = False
    """Compile the network, which pays in long trainings on a GPU."""
    deterministic: bool = True
    """false: the fastest kernels of a GPU, and TF32 in all; two runs may differ."""
    loss: Loss = Loss()
    balance: Balance = Balance()
    exclude_votes: tuple[Natural, ...] = ()
    """Cases with this many votes leave the training part only."""
    max_skipped: Share = 0.01
    """Share of steps that may be skipped for non-finite values; float16: or one."""
    input: Input = Input()
    augment: Augment = Augment()
    mix: Mix | None = None
    """For example {method: mixup, probability: 1.0, alpha: 0.2}; volumes are mixed slice by slice,
    cached features by mixup only."""
    predict: Predict = Predict()
    model: ModelSettings = field(default_factory=ModelSettings)


@dataclass(frozen=True)
class Sequence:
    """The model over the features of a volume's slices."""

    hidden: Count
    """Size of the hidden state, each direction."""
    layers: Count
    """Layers of the LSTM."""
    pooling: Literal["final", "last", "attention"]
    """Both directions' final states, the last step (as published), or attention."""
    frozen: bool
    """The slice network stays as it is, so that its features are computed once. If not, its
    weights stay, but its batch norm drifts (as published)."""


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


@dataclass(frozen=True)
class MemoriseSettings:
    """`snakemake <study>_memorise`: a network that can't learn some cases by heart is broken."""

    cases: Count = 500
    """Training cases to learn by heart."""
    epochs: Count = 200
    """Within so many epochs."""
    accuracy: Annotated[float, Gt(0.5), Le(1)] = 0.99
    """At least so much of them."""
