"""Weights that torchvision publishes, fetched from a server of this machine."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from triage.errors import UserError
from triage.models import ModelSettings, build_pretrained
from triage.models.pretrained import Download
from triage.models.vision import models
from triage.training import published


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a folder, ``tmp_path``."""
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch, damage: bool = False) -> dict:
    """Weights in a file that is called as torchvision's are, which are known by its checksum."""
    torch.manual_seed(3)
    weights = models.squeezenet1_1(weights=None).state_dict()
    torch.save(weights, folder / "made")
    content = (folder / "made").read_bytes()
    name = f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content[:-1] if damage else content)
    known = models.get_model_weights("squeezenet1_1")
    monkeypatch.setattr(published, "_published", lambda *_: f"{known.DEFAULT.url[:-30]}/{name}")
    return weights


def settings(mirror: str | None = None, **more: object) -> Download:
    options = {"network": "squeezenet1_1"}
    return Download("download", "torchvision", mirror=mirror, **{"options": options} | more)


def test_weights_are_fetched_and_fit_their_network(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = publish(tmp_path, monkeypatch)
    found = published.download(settings(server))
    assert found.keys() == weights.keys()
    model = ModelSettings("torchvision", "x", {"network": "squeezenet1_1"})
    network = build_pretrained(model, 3, 2, found)
    first = next(iter(weights.values()))
    assert torch.equal(next(iter(network.backbone.state_dict().values())), first)


def test_a_file_that_is_another_is_refused(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, monkeypatch, damage=True)
    with pytest.raises(UserError, match="is not the file that was published"):
        published.download(settings(server))


def test_without_network_it_says_so_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        published.download(settings("http://127.0.0.1:9"))
    assert "squeezenet1_1-b8a52dc0.pth: can't be fetched" in str(caught.value)
    assert "put squeezenet1_1-b8a52dc0.pth in weights/" in str(caught.value)
    assert "sha256: b8a52dc0" in str(caught.value)
    with pytest.raises(UserError, match="can't be fetched"):
        published.download(settings("file:///nowhere"))


def test_weights_that_there_are_not_are_refused() -> None:
    with pytest.raises(UserError, match=r"no weights of squeezenet1_1(.|\n)*IMAGENET1K_V1"):
        published.download(settings(weights="IMAGENET22K"))
    with pytest.raises(UserError, match="no network of torchvision"):
        published.download(Download("download", "cnn5"))


def test_every_own_architecture_that_torchvision_has_is_known() -> None:
    for architecture in ("resnet18", "resnet34", "resnet50", "vgg16", "vit"):
        name = published.NAMES.get(architecture, architecture)
        assert published._published(name, "DEFAULT").endswith(".pth")
