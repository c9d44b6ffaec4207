from pathlib import Path


def write(path, text):
    """Write whole or not at all."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    partial = Path(f"{path}.part")
    partial.write_text(text)
    partial.replace(path)
