import json
import sys
from pathlib import Path

from lib.files import write

settings = json.loads(sys.argv[1])
lines = Path(sys.argv[2]).read_text().splitlines()
write(sys.argv[3], "".join(f"{line},{i % settings['k']}\n" for i, line in enumerate(lines)))
# A table that only grows.
folds = Path(sys.argv[4])
known = folds.read_text().splitlines() if folds.exists() else []
write(sys.argv[4], "".join(f"{line}\n" for line in sorted({*known, *lines})))
