"""A button that stops the running cell: what the square in the tool bar does, where one looks for it."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

__all__ = ["stop_button"]

# A kernel that computes does not hear clicks, so the page asks Jupyter's server, which sends the interrupt.  In a file
# that was saved meanwhile and is opened later nothing runs, and nothing is shown.
_BUTTON = """<div></div><script>
(async (place) => {
  const text = document.getElementById("jupyter-config-data")?.textContent;
  if (!text) return;
  const config = JSON.parse(text), kernel = `${config.baseUrl ?? "/"}api/kernels/KERNEL`;
  const cookie = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/), headers = cookie ? { "X-XSRFToken": cookie[1] } : {};
  if (config.token) headers.Authorization = `token ${config.token}`;
  const ask = (address, method) => fetch(address, { method, headers, credentials: "same-origin" }).catch(() => null);
  const found = await ask(kernel, "GET");
  if (!found?.ok || (await found.json()).execution_state === "idle") return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "\\u25A0 LABEL";
  button.className = "jupyter-button";
  button.style.cssText = "padding:0 12px;height:28px;cursor:pointer";
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Stopping \\u2026";
    const answer = await ask(`${kernel}/interrupt`, "POST");
    if (!answer?.ok) button.textContent = "This button does not work here: use the square in the tool bar";
  });
  place.append(button);
})(document.currentScript.previousElementSibling);
</script>"""


def stop_button(label: str) -> Any:
    """Show the button; what it returns has `close`.  None where no page of Jupyter shows it.

    Args:
        label: what it says.
    """
    kernel_id = _kernel_id()
    if "JPY_SESSION_NAME" not in os.environ or not kernel_id:
        return None
    from IPython.display import display

    button = _BUTTON.replace("KERNEL", kernel_id).replace("LABEL", label)
    return _Shown(display({"text/html": button, "text/plain": ""}, raw=True, display_id=True))


class _Shown:
    """A button on the page."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def close(self) -> None:
        """Take it away; nothing of it stays in the file."""
        self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _kernel_id() -> str:
    """The id under which Jupyter's server knows this kernel: it names the connection file after it."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    path = str(getattr(getattr(shell, "config", {}).get("IPKernelApp", {}), "connection_file", ""))
    found = re.search(r"kernel-([0-9a-f-]+)\.json$", path)
    return found[1] if found else ""
