"""An extension of the Jupyter server: it hands on small messages at once.

The server leaves Nagle's algorithm on: a message is held back until the browser has acknowledged the one before, which
takes TCP 40 ms.  A kernel answers with three small messages ("busy", the picture, "idle"), so a widget's picture came
40 ms late.  From key press to changed pixel the slowest widget took 60 ms, now 29 (benchmarks/README.md).

It is found through `etc/jupyter/jupyter_server_config.d`, where installing this package puts it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["prompt"]

_SETTING = "kernel_websocket_connection_class"


def prompt(connection: type[Any]) -> type[Any]:
    """A kernel's websocket connection, as a class, that does not wait for acknowledgements."""

    class Prompt(connection):  # type: ignore[misc]
        def connect(self) -> Any:
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    Prompt.__name__ = Prompt.__qualname__ = f"Prompt{connection.__name__}"
    return Prompt


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    settings = server.web_app.settings
    if settings.get(_SETTING) is not None:
        settings[_SETTING] = prompt(settings[_SETTING])
