"""A button that stops the running cell: what the square in the tool bar does, where one looks for it."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Any

__all__ = ["stop_button"]

# A kernel that computes does not hear clicks, so the page asks Jupyter's server, which sends the interrupt.
_SCRIPT = """
function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "\\u25A0 " + model.get("label");
  button.className = "jupyter-button";
  button.style.cssText = "padding:0 12px;height:28px;cursor:pointer";
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Stopping \\u2026";
    const text = document.getElementById("jupyter-config-data")?.textContent;
    const config = text ? JSON.parse(text) : {};
    const cookie = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
    const headers = cookie ? { "X-XSRFToken": cookie[1] } : {};
    if (config.token) headers.Authorization = `token ${config.token}`;
    const address = `${config.baseUrl ?? "/"}api/kernels/${model.get("kernel_id")}/interrupt`;
    const answer = await fetch(address, { method: "POST", headers, credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) button.textContent = "This button does not work here: use the square in the tool bar";
  });
  el.append(button);
}
export default { render };
"""


def stop_button(label: str) -> Any:
    """Show the button; what it returns has `close`.  None where no page of Jupyter shows it.

    Args:
        label: what it says.
    """
    kernel_id = _kernel_id()
    if "JPY_SESSION_NAME" not in os.environ or not kernel_id:
        return None
    import anywidget
    import traitlets
    from IPython.display import display

    class Stop(anywidget.AnyWidget):
        _esm = _SCRIPT
        label = traitlets.Unicode().tag(sync=True)
        kernel_id = traitlets.Unicode().tag(sync=True)

    _sweep()
    button = Stop(label=label, kernel_id=kernel_id)
    return _Shown(button, display(button, display_id=True))


class _Shown:
    """A button on the page."""

    def __init__(self, button: Any, handle: Any) -> None:
        self._button, self._handle = button, handle

    def close(self) -> None:
        """Take it away; nothing of it may stay in the file, where it would be a widget without a kernel."""
        self._handle.update({"text/plain": "", "text/html": ""}, raw=True)
        _gone.append((time.monotonic(), self._button))


_SETTLED_S = 20.0
_gone: list[tuple[float, Any]] = []
"""Buttons that are no longer shown, and since when: a page that is still making one complains if it is closed then."""


def _sweep() -> None:
    """Close the buttons that every page is done with."""
    while _gone and time.monotonic() - _gone[0][0] > _SETTLED_S:
        _gone.pop(0)[1].close()


def _kernel_id() -> str:
    """The id under which Jupyter's server knows this kernel: it names the connection file after it."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    path = str(getattr(getattr(shell, "config", {}).get("IPKernelApp", {}), "connection_file", ""))
    found = re.search(r"kernel-([0-9a-f-]+)\.json$", path)
    return found[1] if found else ""
