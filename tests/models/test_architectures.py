"""The networks of the studies: the sizes their sources give, and what each must be able to do."""

import pytest
import torch

from triage.errors import UserError
from triage.models import ARCHITECTURES, FLOORS, WITH_FEATURES, ModelSettings, build

NETWORKS = sorted(ARCHITECTURES.keys() - {*FLOORS, "monai"})  # of single images

SMALL = {
    "resnet18": {},
    "resnet34": {},
    "resnet50": {},
    "cnn5": {"size": 64, "hidden": 16},
    "vgg16": {"size": 64, "hidden": [16]},
    "fcnn": {"size": 64},
    "lesion_cnn": {"size": 64, "norm": "batch", "residual": True},
    "vit": {"size": 64, "layers": 2, "heads": 2, "hidden": 32, "mlp": 64},
    "cnn4": {"size": 64, "width": 4, "hidden": 8},
    "resnet18_pixels": {"size": 64, "hidden": 8},
    "torchvision": {"network": "mobilenet_v3_small"},
    "timm": {"network": "mobilenetv3_small_050"},
}


def network(architecture: str, channels: int = 3, outputs: int = 1, **options):
    torch.manual_seed(0)
    return build(ModelSettings(architecture, "none", options), channels, outputs)


def shape_of(architecture: str, channels: int = 3):
    """The full-size network without its numbers."""
    with torch.device("meta"):
        return build(ModelSettings(architecture), channels, 1)


def trainable(module: torch.nn.Module) -> int:
    return sum(each.numel() for each in module.parameters() if each.requires_grad)


@pytest.mark.parametrize("architecture", NETWORKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_architecture_gives_finite_logits_and_gradients(architecture, channels):
    if architecture == "timm":
        pytest.importorskip("timm")
    module = network(architecture, channels, 4, **SMALL[architecture])
    logits = module(torch.randn(3, channels, 64, 64))
    assert logits.shape == (3, 4)
    logits.square().sum().backward()
    gradients = [each.grad for each in module.parameters() if each.requires_grad]
    assert all(each is not None and torch.isfinite(each).all() for each in gradients)


@pytest.mark.parametrize("architecture", [each for each in NETWORKS if each != "timm"])
def test_what_is_said_to_have_features_has_them(architecture):
    with torch.device("meta"):
        module = build(ModelSettings(architecture, "none", SMALL[architecture]), 1, 2)
        has_them = hasattr(module, "features") and hasattr(module, "width")
    assert has_them == (architecture in WITH_FEATURES)


def test_cnn5_has_the_published_number_of_weights():
    assert trainable(shape_of("cnn5", channels=1)) == 2_524_033


def test_vgg16_trains_the_published_number_of_weights():
    module = shape_of("vgg16")
    assert trainable(module) == 16_843_521
    assert sum(each.numel() for each in module.backbone.parameters()) == 14_714_688


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patch": 7}, "no whole number of patches"),
        ({"heads": 5}, "can't be shared by 5 heads"),
        ({"blocks": [1, 9]}, "no blocks of 2"),
    ],
)
def test_options_of_vit_that_do_not_fit_each_other_are_named(options: dict, said: str):
    with pytest.raises(UserError, match=rf"{next(iter(options))}: .*{said}"):
        network("vit", **SMALL["vit"] | options)


def test_vit_is_the_base_model():
    assert trainable(shape_of("vit")) == 85_798_656 + 769  # ViT-B/16 without its head, plus ours


@pytest.mark.parametrize("head", ["fc", "rnn", "lstm"])
def test_the_pixel_heads_read_every_pixel(head):
    module = network("cnn4", 1, size=64, width=4, hidden=8, dropout=0.0, head=head).eval()
    image = torch.randn(1, 1, 64, 64, requires_grad=True)
    module(image).sum().backward()
    assert (image.grad.abs() > 0).float().mean() > 0.9


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_the_ablation_chain_flattens_to_the_published_width(norm):
    module = network("lesion_cnn", norm=norm)
    dense = [each for each in module.modules() if isinstance(each, torch.nn.Linear)]
    assert (dense[0].in_features, dense[0].out_features, dense[1].in_features) == (32768, 100, 100)
    groups = [m.num_groups for m in module.modules() if isinstance(m, torch.nn.GroupNorm)]
    assert groups == ([4, 8] if norm == "group" else [])


def test_dropout_is_where_it_is_asked_for():
    module = network("vit", **SMALL["vit"], block_dropout=0.3, blocks=[1, 2], position_dropout=0.1)
    places = {name: each.p for name, each in module.named_modules() if hasattr(each, "p")}
    dropped = {name for name, share in places.items() if share == 0.3}
    assert dropped
    assert all("encoder_layer_1" in name for name in dropped)
    assert places["backbone.encoder.dropout"] == 0.1


def test_a_frozen_base_stays_as_it_is():
    module = network("vgg16", size=64, hidden=[8]).train()
    module(torch.randn(2, 3, 64, 64)).sum().backward()
    assert all(each.grad is None for each in module.backbone.parameters())


def test_another_picture_size_is_explained():
    with pytest.raises(UserError, match="64 x 64 pixels, the network's size is 128"):
        network("cnn5", 1)(torch.zeros(2, 1, 64, 64))
