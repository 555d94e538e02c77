"""Uploads are what lies in the folder that the environment names."""

import os
from pathlib import Path


def upload() -> dict[str, bytes]:
    """Name -> content; nothing if nobody chooses a file."""
    folder = os.environ.get("UPLOADS")
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()} if folder else {}
