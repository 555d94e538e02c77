"""The server extension that hands on small messages at once."""

from __future__ import annotations

from types import SimpleNamespace

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from course_lib.widgets import prompt_server as lab


class _Connection:
    """As much of a kernel's websocket connection as matters."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.websocket_handler = SimpleNamespace(set_nodelay=self.calls.append)

    def connect(self) -> str:
        """As the real one: something to wait for."""
        self.calls.append("connect")
        return "future"


def test_a_connection_sets_nodelay_and_then_does_what_it_did() -> None:
    """The option is set on the socket before the first message."""
    connection = lab.prompt(_Connection)()
    assert connection.connect() == "future"
    assert connection.calls == [True, "connect"]


def test_the_extension_wraps_the_class_that_the_server_uses() -> None:
    """Whatever class is configured; a server of another kind, without one, is left alone."""
    settings: dict[str, object] = {"kernel_websocket_connection_class": ZMQChannelsWebsocketConnection}
    server = SimpleNamespace(web_app=SimpleNamespace(settings=settings))
    lab._load_jupyter_server_extension(server)
    wrapped = settings["kernel_websocket_connection_class"]
    assert isinstance(wrapped, type)
    assert issubclass(wrapped, ZMQChannelsWebsocketConnection)
    assert wrapped.connect is not ZMQChannelsWebsocketConnection.connect
    settings.clear()
    lab._load_jupyter_server_extension(server)
    assert settings == {}
