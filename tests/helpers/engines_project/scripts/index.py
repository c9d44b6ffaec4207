import csv
import json
import sys
from pathlib import Path

from lib.files import write


def rows_of(path):
    with Path(path).open() as stream:
        return list(csv.DictReader(stream))


settings = json.loads(sys.argv[1])
raw, inventory, withdrawn, manifest, quarantine = sys.argv[2:]
gone = {row["case"] for row in rows_of(withdrawn)}
rows = [row for row in rows_of(inventory) if Path(row["path"]).stem not in gone]
good = [row for row in rows if int(row["size"]) >= settings["least"]]
write(manifest, "".join(f"{row['path']},{row['sha256']}\n" for row in good))
write(quarantine, "".join(f"{row['path']}\n" for row in rows if row not in good))
