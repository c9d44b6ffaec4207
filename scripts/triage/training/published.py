"""Weights that others publish: from a file, or fetched from where it is published."""

from __future__ import annotations

import tempfile
import urllib.parse
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triage.command import log
from triage.errors import UserError
from triage.files import sha256
from triage.models.libraries import refuse_unknown
from triage.models.pretrained import Download, Published
from triage.models.vision import models
from triage.training.checkpoint import read_weights

State = dict[str, Tensor]
USUAL = {"torchvision": "mobilenet_v3_small", "timm": "efficientnet_b0"}
NAMES = {"vit": "vit_b_16"}  # what torchvision calls this project's architectures


def from_file(settings: Published) -> State:
    """The weights in a file that has the checksum of the settings."""
    path = Path(settings.file)
    if not path.is_file():
        raise UserError(
            f"the weights of {settings.architecture} are not there",
            where=path,
            remedy=f"put torchvision's file {path.name} in {path.parent.resolve()},"
            " or take weights of source: download or pretext",
        )
    found = sha256(path)
    if not found.startswith(settings.sha256):
        raise UserError(
            f"has the SHA-256 {found}, not {settings.sha256}...",
            where=path,
            remedy="get the file again, or correct sha256 in params.yaml if it is the right one",
        )
    return read_weights(path)


def download(settings: Download) -> State:
    """The weights that torchvision publishes for a network, or timm on its hub."""
    architecture = settings.architecture
    network = settings.options.get("network", USUAL.get(architecture, architecture))
    if architecture == "timm":
        return _from_hub(network, settings)
    name = NAMES.get(network, network)
    refuse_unknown(name, "torchvision", "pretrained")
    url = _published(name, settings.weights)
    file = Path(urllib.parse.urlsplit(url).path).name
    checksum = file.rpartition("-")[2].partition(".")[0]
    if settings.mirror:
        url = f"{settings.mirror.rstrip('/')}/{file}"
    log.info("fetching %s", url)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        try:
            torch.hub.download_url_to_file(url, str(path), checksum, progress=False)
        except RuntimeError as error:  # of the checksum
            raise UserError(
                f"is not the file that was published ({error})",
                where=url,
                remedy="try again, or another mirror",
            ) from error
        except (OSError, ValueError, HTTPException) as error:
            raise UserError(
                f"can't be fetched ({error})",
                where=url,
                remedy=f"where there is no network, put {file} in weights/, and set source: "
                f"imagenet, file: weights/{file}, sha256: {checksum}; or set mirror",
            ) from error
        return read_weights(path)


def _published(network: str, wanted: str) -> str:
    """The address of the weights of a network of torchvision."""
    known: Any = models.get_model_weights(network)
    names = [each.name for each in known]
    if wanted != "DEFAULT" and wanted not in names:
        raise UserError(
            f"{wanted!r} are no weights of {network}",
            where="pretrained: weights",
            remedy=f"DEFAULT, or one of {', '.join(names)}",
        )
    return str(known[wanted].url)


def _from_hub(network: str, settings: Download) -> State:
    refuse_unknown(network, "timm", "pretrained")
    import timm

    name = network if settings.weights == "DEFAULT" else f"{network}.{settings.weights}"
    try:
        found: State = timm.create_model(name, pretrained=True).state_dict()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"can't be fetched ({str(error).splitlines()[0]})",
            where=f"timm's weights of {name}",
            remedy="where there is no network, fill timm's cache, or give a file: source: imagenet",
        ) from error
    return found
