"""The demo's settings, as they are and with one changed."""

import copy
from pathlib import Path

import yaml

DEMO = Path("presets/demo.yaml")
COMMITTED = yaml.safe_load(DEMO.read_text())


def changed(path: str, value: object) -> dict:
    """The committed settings with one key set."""
    content = copy.deepcopy(COMMITTED)
    *blocks, key = path.split(".")
    block = content
    for name in blocks:
        block = block.setdefault(name, {})
    block[key] = value
    return content


def leaves(block: object, path: tuple = ()) -> list[tuple]:
    if isinstance(block, dict):
        return [leaf for key, each in block.items() for leaf in leaves(each, (*path, key))]
    return [path]


def at(content, path):
    """The block that holds the key at the end of ``path``."""
    for name in path[:-1]:
        content = content[name]
    return content
