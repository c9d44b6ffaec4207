import hashlib
import importlib
import json
import os
import sys
import time
from pathlib import Path

from lib.files import write

settings, split, checkpoint, history = json.loads(sys.argv[1]), *sys.argv[2:]
model = importlib.import_module(f"lib.models.{settings['architecture']}")
time.sleep(float(os.environ.get("TRAIN_SECONDS", "0")))
state = json.dumps(settings) + Path(split).read_text() + str(model.FACTOR)
write(history, "".join(f"{i},{settings['rate']}\n" for i in range(settings["epochs"])))
write(checkpoint, hashlib.sha256(state.encode()).hexdigest() * 50)
