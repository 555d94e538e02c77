"""Make course_lib/lab/datasets/photographs/ from the files that scikit-image and Matplotlib ship.

    pip download --no-deps scikit-image==0.26.0 && unzip scikit_image-*.whl 'skimage/data/*' -d FOLDER
    python scripts/make_photographs.py FOLDER           # write the pictures and photographs.json
    python scripts/make_photographs.py FOLDER --check   # compare, exit 1 if something differs

Matplotlib's picture is taken from the installed package.  The originals are checked by their SHA-256.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

TARGET = Path(__file__).parent.parent / "course_lib" / "lab" / "datasets" / "photographs"
SHORT_SIDE = 224
QUALITY = 90


@dataclass(frozen=True)
class Original:
    """A photograph in the package that ships it.

    Attributes:
        name: the file's name here, without .jpg.
        title: what it shows.
        author: who took it.
        licence: under which it may be passed on.
        source: where it was published.
        package: what it was taken from.
        path: inside the package.
        sha256: of that file.
        imagenet: classes of ImageNet that are right for it; empty where none is.
    """

    name: str
    title: str
    author: str
    licence: str
    source: str
    package: str
    path: str
    sha256: str
    imagenet: tuple[str, ...] = ()


_SKIMAGE = "scikit-image 0.26.0"
ORIGINALS = (
    Original(
        "cat",
        "Chelsea the cat",
        "Stefan van der Walt",
        "CC0",
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.chelsea",
        _SKIMAGE,
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        ("tabby", "tiger cat", "Egyptian cat"),
    ),
    Original(
        "coffee",
        "A cup of coffee at Pikolo Espresso Bar",
        "Rachel Michetti",
        "CC0",
        "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.coffee",
        _SKIMAGE,
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        ("espresso", "cup"),
    ),
    Original(
        "rocket",
        "Falcon 9 with DSCOVR before its launch",
        "SpaceX",
        "public domain",
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
        _SKIMAGE,
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        ("missile", "projectile"),
    ),
    Original(
        "astronaut",
        "Eileen Collins, astronaut",
        "NASA",
        "public domain",
        "https://flic.kr/p/r9qvLn",
        _SKIMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    ),
    Original(
        "hopper",
        "Grace Hopper, computer scientist",
        "James S. Davis, United States Navy",
        "public domain",
        "https://commons.wikimedia.org/wiki/File:Commodore_Grace_M._Hopper,_USN_(covered).jpg",
        "Matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        ("military uniform",),
    ),
    Original(
        "galaxies",
        "Hubble eXtreme Deep Field",
        "NASA, ESA",
        "public domain",
        "https://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
        _SKIMAGE,
        "skimage/data/hubble_deep_field.jpg",
        "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    ),
    Original(
        "retina",
        "Retina of a left eye",
        "Mikael Häggström",
        "CC0",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
        _SKIMAGE,
        "skimage/data/retina.jpg",
        "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    ),
)


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def small(original: Original, folder: Path) -> Image.Image:
    """The photograph with a short side of SHORT_SIDE pixels.

    Raises:
        ValueError: if the original is another file than the one whose licence was read.
    """
    root = Path(matplotlib.get_data_path()).parent if original.package == "Matplotlib" else folder
    path = root / original.path
    if sha256(path) != original.sha256:
        raise ValueError(f"{path}: expected SHA-256 {original.sha256!r}, found {sha256(path)!r}")
    with Image.open(path) as picture:
        scale = SHORT_SIDE / min(picture.size)
        width, height = round(picture.width * scale), round(picture.height * scale)
        return picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def write(pictures: dict[str, Image.Image]) -> None:
    """Write the pictures and the list of what they are."""
    TARGET.mkdir(exist_ok=True)
    entries = []
    for original in ORIGINALS:
        path = TARGET / f"{original.name}.jpg"
        pictures[original.name].save(path, "JPEG", quality=QUALITY, optimize=True)
        entry = asdict(original)
        entry["original_sha256"] = entry.pop("sha256")
        entries.append({**entry, "sha256": sha256(path)})
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (TARGET / "photographs.json").write_text(text + "\n", "utf-8")


def differences(pictures: dict[str, Image.Image], tolerance: float = 4.0) -> list[str]:
    """Names of the pictures that are further from what is stored than JPEG's loss (mean difference of bytes)."""
    wrong = []
    for name, made in pictures.items():
        with Image.open(TARGET / f"{name}.jpg") as stored:
            near = stored.size == made.size
            if not near or np.abs(np.asarray(stored, float) - np.asarray(made, float)).mean() > tolerance:
                wrong.append(name)
    return wrong


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where skimage/data lies")
    parser.add_argument("--check", action="store_true", help="compare with what is stored instead of writing it")
    options = parser.parse_args()
    pictures = {original.name: small(original, options.folder) for original in ORIGINALS}
    if options.check:
        wrong = differences(pictures)
        print(f"differ: {', '.join(wrong)}" if wrong else "the photographs are what this script makes")
        return 1 if wrong else 0
    write(pictures)
    print(f"wrote {len(pictures)} photographs, {sum(p.stat().st_size for p in TARGET.iterdir()) / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
