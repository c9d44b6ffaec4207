"""Where a case belongs, by its name alone: one more case moves no other."""

from __future__ import annotations

import hashlib

FOLD_COLUMNS = ["group", "fold"]  # of the table of folds: a digest of the group, and its fold


def shard_of(case: str, shards: int) -> int:
    """The number of the shard, 0 to ``shards`` - 1, that holds the images of ``case``."""
    if shards == 1:
        return 0
    digest = hashlib.blake2b(case.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards
