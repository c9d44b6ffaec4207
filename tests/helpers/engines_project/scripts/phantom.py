import hashlib
import json
import shutil
import sys
from pathlib import Path

from lib.files import write

settings, folder, listing = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if folder.exists():
    shutil.rmtree(folder)
rows = ["path,size,sha256"]
for case in range(settings["cases"]):
    text = f"{settings['seed']} {case}\n"
    write(folder / f"{case}.txt", text)
    rows.append(f"{case}.txt,{len(text)},{hashlib.sha256(text.encode()).hexdigest()}")
write(listing, "\n".join(rows) + "\n")
