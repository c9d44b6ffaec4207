"""Parts that all studies share: heads, freezing, transfer, the sequence model."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from training_runs import ROOT
from triage.errors import UserError
from triage.models import ModelSettings, build, build_pretrained
from triage.models.combined import Combined
from triage.models.dropout import FastDropout
from triage.models.sequence import SequenceModel


def resnet(channels=3, pretrained="none", weights=None, **options):
    torch.manual_seed(0)
    settings = ModelSettings("resnet18", pretrained, {"hidden": [8]} | options)
    return build_pretrained(settings, channels, 1, weights)


def state_of(module):
    return {name: each.clone() for name, each in module.state_dict().items()}


def changed(module, before):
    """The tensors of a state that differ from before: weights, buffers of batch norm."""
    names = {name for name, each in module.state_dict().items() if not each.equal(before[name])}
    buffers = {name for name, _ in module.named_buffers()}
    return names - buffers, names & buffers


def train_one_step(module, inputs):
    module.train()
    weights = [each for each in module.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(weights, 0.1)
    module(inputs).square().sum().backward()
    optimizer.step()


def sequence_model(pooling, inputs=8):
    torch.manual_seed(0)
    return SequenceModel(inputs, 1, hidden=4, layers=2, pooling=pooling)


def test_looking_up_architectures_needs_no_torch():
    code = "import sys, triage.models; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "scripts", check=True)


def test_features_are_what_the_last_layer_reads():
    network = resnet().eval()
    images = torch.randn(2, 3, 32, 32)
    features = network.features(images)
    assert features.shape == (2, network.width) == (2, 8)
    assert torch.equal(network(images), network.head.fc2(torch.relu(features)))


def test_a_frozen_backbone_stays_bit_for_bit():
    network = resnet(freeze=True)
    before = state_of(network)
    train_one_step(network, torch.randn(4, 3, 32, 32))
    weights, buffers = changed(network, before)
    assert weights == {"head.fc1.weight", "head.fc1.bias", "head.fc2.weight", "head.fc2.bias"}
    assert not buffers


def test_pretrained_weights_reach_the_backbone_and_not_the_head():
    source = state_of(build(ModelSettings("resnet18", options={"hidden": [5]}), 3, 7))
    network = resnet(pretrained="pretext", weights=source)
    own = network.state_dict()
    backbone = [name for name in source if name.startswith("backbone.")]
    assert all(own[name].equal(source[name]) for name in backbone)
    assert network.head.fc1.out_features == 8


def test_weights_as_torchvision_publishes_them_fit():
    from triage.models.vision import models

    plain = models.resnet18(weights=None).state_dict()
    network = resnet(pretrained="imagenet", weights=plain)
    assert network.backbone.layer1[0].conv1.weight.equal(plain["layer1.0.conv1.weight"])


def test_weights_under_the_names_of_another_library_fit_by_their_order():
    from triage.models.vision import models

    plain = models.resnet18(weights=None).state_dict()
    foreign = {f"_layer{number}": tensor for number, tensor in enumerate(plain.values())}
    network = resnet(pretrained="imagenet", weights=foreign)
    assert network.backbone.layer4[1].conv2.weight.equal(plain["layer4.1.conv2.weight"])
    shortened = dict(list(foreign.items())[6:])
    with pytest.raises(UserError, match="lack"):
        resnet(pretrained="imagenet", weights=shortened)
    turned = dict(reversed(foreign.items()))
    with pytest.raises(UserError, match="lack"):
        resnet(pretrained="imagenet", weights=turned)


def test_a_grey_image_gives_what_three_equal_channels_give():
    source = state_of(resnet())
    grey = resnet(channels=1, pretrained="imagenet", weights=source).eval()
    colour = resnet(pretrained="imagenet", weights=source).eval()
    image = torch.randn(2, 1, 32, 32)
    expected = colour.backbone(image.expand(-1, 3, -1, -1))
    assert torch.allclose(grey.backbone(image), expected, atol=1e-4)


def test_weights_of_another_architecture_are_refused():
    source = build(ModelSettings("resnet34"), 3, 1).state_dict()
    source.pop("backbone.layer1.0.conv1.weight")
    with pytest.raises(UserError, match=r"layer1\.0\.conv1\.weight"):
        resnet(pretrained="imagenet", weights=source)
    with pytest.raises(UserError, match="no weights were given"):
        resnet(pretrained="imagenet")


def test_unknown_names_are_refused_with_what_is_known():
    with pytest.raises(UserError, match=r"must be one of .*resnet18"):
        build(ModelSettings("resnet19"), 3, 1)
    with pytest.raises(UserError, match="allowed are hidden, dropout, freeze"):
        build(ModelSettings("resnet18", options={"hiden": [8]}), 3, 1)
    with pytest.raises(UserError, match="must be a number"):
        build(ModelSettings("resnet18", options={"dropout": "much"}), 3, 1)


@pytest.mark.parametrize("pooling", ["final", "last", "attention"])
def test_the_sequence_model_sees_the_order_of_slices(pooling):
    model = sequence_model(pooling)
    features = torch.randn(3, 6, 8)
    assert not torch.allclose(model(features), model(features.flip(1)), atol=1e-4)
    assert not torch.allclose(model(features), model(features.roll(1, 1)), atol=1e-4)


def test_final_pooling_reads_all_slices_both_ways_and_last_does_not():
    features = torch.randn(1, 6, 8)
    others = features.clone()
    others[:, :-1] += 1.0  # all but the last slice

    def backward_half(pooling):
        model = sequence_model(pooling)
        # One layer, so that the halves do not mix.
        model.lstm = torch.nn.LSTM(8, 4, 1, batch_first=True, bidirectional=True)
        return [model._pooled(model.lstm(each)[0])[:, 4:] for each in (features, others)]

    assert torch.equal(*backward_half("last"))
    assert not torch.allclose(*backward_half("final"), atol=1e-3)


@pytest.mark.parametrize(
    ("freezing", "weights_change", "buffers_change"),
    [("frozen", False, False), ("drifting", False, True), ("trained", True, True)],
)
def test_freezing_of_the_slice_network(freezing, weights_change, buffers_change):
    network = Combined(resnet(), sequence_model("final"), freezing)
    before = state_of(network.cnn)
    train_one_step(network, torch.randn(2, 3, 3, 32, 32))
    weights, buffers = changed(network.cnn, before)
    assert bool(weights) == weights_change
    assert bool(buffers) == buffers_change


def test_a_volume_is_read_slice_by_slice():
    network = Combined(resnet(), sequence_model("final"), "frozen").eval()
    volumes = torch.randn(2, 3, 3, 32, 32)
    features = torch.stack([network.cnn.features(volume) for volume in volumes])
    assert torch.allclose(network(volumes), network.sequence(features), atol=1e-5)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["slices", "rnn", "lstm"])
def test_recurrent_layers_stay_in_full_precision(kind, precision):
    model, recurrent, inputs = recurrent_model(kind)
    seen = []
    recurrent.register_forward_hook(lambda _, given, out: seen.append((given[0], out[0])))
    with torch.autocast("cpu", precision):
        model(inputs).float().sum().backward()
    given, out = seen.pop()
    assert given.dtype == out.dtype == torch.float32
    assert torch.equal(out, recurrent(given)[0])
    assert all(torch.isfinite(each.grad).all() for each in recurrent.parameters())
    assert model.to("meta")(inputs.to("meta")).shape == (2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["slices", "rnn", "lstm"])
def test_recurrent_layers_can_be_compiled(kind):
    model, _, inputs = recurrent_model(kind)
    compiled = torch.compile(model)
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            assert torch.allclose(compiled(inputs), model(inputs), atol=1e-2 if enabled else 1e-5)


def recurrent_model(kind):
    """A network, its recurrent layer, and inputs for it."""
    if kind == "slices":
        model = sequence_model("attention")
        return model, model.lstm, torch.randn(2, 3, 8)
    torch.manual_seed(0)
    options = {"head": kind, "size": 32, "width": 2, "hidden": 4, "dropout": 0.0}
    model = build(ModelSettings("cnn4", options=options), 1, 1)
    return model, model.head.reader, torch.randn(2, 1, 32, 32)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_dropout_drops_its_share_and_keeps_the_mean(layout, precision):
    dropout = FastDropout(0.3)
    x = torch.ones(7, 5, 31, 33, dtype=precision).to(memory_format=layout).requires_grad_()
    torch.manual_seed(0)
    dropped = dropout(x)
    assert dropped.is_contiguous(memory_format=layout)
    assert abs(float((dropped == 0).float().mean()) - 0.3) < 0.01
    assert set(dropped.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.7).to(precision))}
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped)
    # No pattern in memory: neighbours, and those four numbers apart, are dropped independently.
    flat = (dropped == 0).flatten().float()
    for apart in (1, 2, 3, 4):
        assert abs(np.corrcoef(flat[apart:], flat[:-apart])[0, 1]) < 0.03
    torch.manual_seed(0)
    assert torch.equal(dropout(x), dropped)
    assert torch.equal(dropout.eval()(x), x)


def test_dropout_of_a_part_of_a_tensor_and_of_everything():
    x = torch.ones(8, 6)[::2, 1:4]
    assert set(FastDropout(0.5)(x).unique().tolist()) <= {0.0, 2.0}
    assert not FastDropout(1.0)(x).any()
    assert torch.equal(FastDropout(0.0)(x), x)
