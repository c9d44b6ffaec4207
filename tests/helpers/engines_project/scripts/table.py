import json
import sys
from pathlib import Path

from lib.files import write

settings, table, metrics = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
scores = [json.loads(Path(path).read_text())["score"] for path in metrics]
write(table, "".join(f"{round(score, settings['digits'])}\n" for score in scores))
