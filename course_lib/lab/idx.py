"""The IDX format of MNIST and Fashion-MNIST: a big-endian header, then bytes.

Source: http://yann.lecun.com/exdb/mnist/, section "the IDX file format".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_idx"]


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzip-compressed IDX file of unsigned bytes.

    Returns: an array with the shape that the header names, e.g. (60000, 28, 28) or (60000,).

    Raises:
        ValueError: if the file is not such a file or ends early.
    """
    try:
        data = gzip.decompress(path.read_bytes())
        zeros, kind, dimensions = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise ValueError(f"{path.name} is not a gzip-compressed IDX file ({error})") from error
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions)
    if (zeros, kind) != (0, 0x08) or body.size != math.prod(shape):
        raise ValueError(f"{path.name}: expected unsigned bytes of shape {shape}, found {body.size} bytes")
    return body.reshape(shape)
