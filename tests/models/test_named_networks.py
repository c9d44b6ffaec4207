"""Networks of libraries, by their names there."""

import sys

import pytest
import torch

from triage.errors import UserError
from triage.figures.heatmaps import heatmaps
from triage.models import ModelSettings, build, build_pretrained, libraries
from triage.models.combined import Combined
from triage.models.named import built
from triage.models.sequence import SequenceModel
from triage.training.inference import refuse_misfit


def network(library="torchvision", channels=1, outputs=2, **options):
    torch.manual_seed(0)
    return build(ModelSettings(library, "none", options), channels, outputs)


def learns(module, images):
    """Whether a backward pass reaches all weights that are to learn."""
    logits = module.train()(images)
    logits.square().sum().backward()
    learning = [each.grad for each in module.parameters() if each.requires_grad]
    return logits.isfinite().all() and all(each is not None for each in learning)


@pytest.mark.parametrize(
    ("name", "channels"),
    [("mobilenet_v3_small", 1), ("efficientnet_b0", 1), ("squeezenet1_1", 4)],
)
def test_torchvisions_networks_learn_from_any_channels(name, channels):
    module = network(network=name, channels=channels)
    images = torch.randn(2, channels, 40, 48)
    assert learns(module, images)
    module.eval()
    assert module(images).shape == (2, 2)
    assert torch.equal(module(images), module.head(module.backbone(images)))
    assert heatmaps(module, images, 1).shape == (2, 40, 48)


FAMILIES = {
    "alexnet": 63,
    "convnext_tiny": 32,
    "densenet121": 29,
    "googlenet": 15,
    "inception_v3": 75,
    "maxvit_t": 224,
    "mnasnet0_5": 16,
    "regnet_y_400mf": 16,
    "shufflenet_v2_x0_5": 16,
    "squeezenet1_0": 21,
    "swin_v2_t": 16,
    "vgg11_bn": 32,
    "vit_b_16": 224,
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_reads_pictures_of_its_smallest_size(name):
    size = FAMILIES[name]
    with torch.device("meta"):
        module = network(network=name)
        assert module(torch.zeros(2, 1, size, size)).shape == (2, 2)
        assert module.features(torch.zeros(2, 1, size, size)).shape == (2, module.width)
        if size in (16, 224):
            return
        with pytest.raises(UserError, match=f"{size - 1} pixels, too small(.|\n)*{size} a side"):
            module(torch.zeros(2, 1, size, size - 1))


def test_a_transformer_takes_the_size_that_is_set():
    with torch.device("meta"):
        module = network(network="vit_b_32", size=64)
        assert module(torch.zeros(2, 1, 64, 64)).shape == (2, 2)
        with pytest.raises(UserError, match="96 x 96 pixels, the network's size is 64"):
            module(torch.zeros(2, 1, 96, 96))
        with pytest.raises(UserError, match="vit_b_32 can't be built with 72"):
            network(network="vit_b_32", size=72)
        with pytest.raises(UserError, match="mobilenet_v2 takes pictures of any size"):
            network(network="mobilenet_v2", size=64)


def test_a_frozen_network_learns_with_its_head_only():
    module = network(network="mobilenet_v3_small", hidden=[8], freeze=True)
    assert learns(module, torch.randn(2, 1, 32, 32))
    learning = {name for name, each in module.named_parameters() if each.requires_grad}
    assert learning == {f"head.fc{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}


def test_published_weights_fit_their_network_and_no_other():
    from triage.models.vision import models

    published = models.mobilenet_v3_small(weights=None).state_dict()
    settings = ModelSettings("torchvision", "imagenet", {"network": "mobilenet_v3_small"})
    module = build_pretrained(settings, 3, 2, published)
    assert (
        module.backbone.features[1]
        .block[0][0]
        .weight.equal(published["features.1.block.0.0.weight"])
    )
    assert build_pretrained(settings, 1, 2, published).width == 1024
    other = ModelSettings("torchvision", "imagenet", {"network": "mobilenet_v2"})
    with pytest.raises(UserError, match="give weights of the same architecture"):
        build_pretrained(other, 3, 2, published)


def test_a_sequence_model_reads_its_features():
    module = network(network="mobilenet_v3_small", hidden=[6])
    volumes = torch.randn(2, 3, 1, 32, 32)
    sequence = SequenceModel(module.width, 2, hidden=4, layers=1, pooling="final")
    assert Combined(module, sequence, "trained").eval()(volumes).shape == (2, 2)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"did you mean (.*, )?efficientnet_b0"):
        network(network="eficientnet-b0")
    with pytest.raises(UserError, match=r"'' is no network of torchvision(.|\n)*such as alexnet"):
        network(network="")


def test_without_timm_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    libraries.known.cache_clear()
    with pytest.raises(UserError, match=r"timm is not installed(.|\n)*\.\[timm\]"):
        network("timm")


def test_timms_networks_learn_from_grey_pictures():
    pytest.importorskip("timm")
    module = network("timm", network="mobilenetv3_small_050")
    assert learns(module, torch.randn(2, 1, 40, 48))
    assert module.eval().features(torch.randn(2, 1, 40, 48)).shape == (2, module.width)
    with pytest.raises(UserError, match=r"did you mean (.*, )?resnet18"):
        network("timm", network="resnet-18")
    with pytest.raises(UserError, match="resnet18 can't be built with 64"):
        network("timm", network="resnet18", size=64)


def test_a_transformer_of_timm_takes_the_size_that_is_set():
    pytest.importorskip("timm")
    small = network("timm", network="vit_tiny_patch16_224", size=64)
    assert learns(small, torch.randn(2, 1, 64, 64))
    assert heatmaps(small, torch.randn(2, 1, 64, 64), 0).shape == (2, 64, 64)
    with pytest.raises(UserError, match="64 x 64 pixels, the network's size is 224"):
        network("timm", network="vit_tiny_patch16_224")(torch.randn(2, 1, 64, 64))


@pytest.mark.parametrize("given", [None, {"size": 8}])
def test_a_package_that_a_network_lacks_is_named(given):
    def build():
        raise ImportError("from einops.layers.torch import Rearrange (No module named 'einops').")

    with pytest.raises(UserError, match=r"ViT needs a package that is not installed \(.*einops"):
        built(build, "ViT", given)


def monais(**options):
    keywords = {"init_features": 4, "growth_rate": 2, "block_config": [1, 1]}
    return network("monai", **{"network": "DenseNet121", "keywords": keywords} | options)


@pytest.mark.slow  # importing MONAI takes seconds
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_monais_networks_learn_from_whole_volumes_of_any_channels(channels):
    pytest.importorskip("monai", reason="the extra monai is not installed")
    module = monais(channels=channels, hidden=[3])
    volumes = torch.randn(2, 8, channels, 32, 40)
    assert learns(module, volumes)
    assert module.eval()(volumes).shape == (2, 2)
    assert module.features(volumes).shape == (2, 3)
    turned = module.features(volumes.flip(1))
    assert not torch.allclose(module.features(volumes), turned, rtol=1e-4), "slices have an order"
    assert heatmaps(module, volumes[:1], 0).shape == (8, 32, 40)


@pytest.mark.slow  # importing MONAI takes seconds
@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("resnet10", None),
        ("resnet50", None),
        ("SEResNet50", None),
        ("EfficientNetBN", {"model_name": "efficientnet-b0"}),
        ("ViT", {"img_size": [8, 64, 64], "patch_size": [4, 16, 16], "hidden_size": 24,
                 "mlp_dim": 24, "num_layers": 1, "num_heads": 2}),
    ],
)  # fmt: skip
def test_every_family_of_monai_reads_volumes(name, keywords):
    pytest.importorskip("monai", reason="the extra monai is not installed")
    if name == "ViT":
        pytest.importorskip("einops", reason="MONAI's ViT needs einops")
    module = monais(network=name, keywords=keywords, freeze=True).eval()
    slices = 32 if name == "EfficientNetBN" else 8  # which halves a volume five times
    assert module(torch.randn(1, slices, 1, 64, 64)).shape == (1, 2)
    learning = {each for each, weight in module.named_parameters() if weight.requires_grad}
    assert learning == {"head.fc1.weight", "head.fc1.bias"}


def flat_volumes():
    """A sample of two small slices."""

    class Flat:
        def batches(self, *_):
            yield torch.zeros(1, 2, 1, 8, 8)

    return Flat()


@pytest.mark.slow  # importing MONAI takes seconds
def test_what_monai_does_not_have_or_take_is_refused():
    pytest.importorskip("monai", reason="the extra monai is not installed")
    with pytest.raises(UserError, match=r"no network of monai(.|\n)*DenseNet121"):
        monais(network="densenet-121")
    with pytest.raises(UserError, match="no network of monai"):
        monais(network="UNet")
    with pytest.raises(
        UserError, match=r"keywords: DenseNet121 can't be built with {.*}(.|\n)*flavour"
    ):
        monais(keywords={"flavour": 3})
    with pytest.raises(UserError, match=r"can't take images of 2 x 1 x 8 x 8 \(.+\)"):
        refuse_misfit(monais(channels=1), flat_volumes())
    with pytest.raises(UserError, match=r"keywords.in_channels: follows from the images"):
        monais(keywords={"in_channels": 3})
    with pytest.raises(UserError, match=r"keywords: EfficientNetBN can't be built with"):
        monais(network="EfficientNetBN", keywords={"model_name": "b99"})
    with pytest.raises(UserError, match=r"keywords: ViT can't be built with {} \(.*img_size"):
        monais(network="ViT", keywords=None)


def test_the_names_in_the_sources_are_those_that_torchvision_lists():
    from triage.models import libraries
    from triage.models.vision import models

    assert set(libraries.known("torchvision")) == set(models.list_models(module=models))
