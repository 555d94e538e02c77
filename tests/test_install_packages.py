"""Set-up with uv takes what pip would: the same indexes, folders of wheels and constraints, and the same PyTorch."""

from __future__ import annotations

import pytest

from scripts import install_packages as packages

LISTED = """
:env:.find-links='/wheels /more'
:env:.default-timeout='180'
global.cert='/etc/ca.crt'
global.extra-index-url='https://a/simple file:///b/simple'
global.find-links='/old'
global.index-url='https://general/simple'
install.index-url='https://of-install/simple'
install.constraint='/c.txt'
install.trusted-host='a'
freeze.all='true'
"""


def test_uv_is_handed_what_pip_is_configured_to_do() -> None:
    """The environment counts before a command's own settings, and those before the general ones."""
    settings = packages.pip_settings(LISTED)
    assert packages.uv_options(settings) == [
        *("--index-strategy", "unsafe-best-match"),
        *("--default-index", "https://of-install/simple"),
        *("--extra-index-url", "https://a/simple", "--extra-index-url", "file:///b/simple"),
        *("--find-links", "/wheels", "--find-links", "/more"),
        *("--constraint", "/c.txt"),
        *("--allow-insecure-host", "a"),
    ]
    assert packages.uv_environment(settings) == {"SSL_CERT_FILE": "/etc/ca.crt", "UV_HTTP_TIMEOUT": "180"}


@pytest.mark.parametrize(("value", "is_off"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_a_machine_without_an_index_stays_without_one(value: str, is_off: bool) -> None:
    """pip's `no-index` is a switch."""
    assert ("--no-index" in packages.uv_options({"no-index": value})) == is_off


def test_uv_installs_the_pytorch_that_pip_would() -> None:
    """By its address: a build for processors has the same version as the one for graphics cards."""
    lock = "a==1\ntorch==2.13.0\ntorchvision==1\n"
    made = packages.with_pytorch_of_pip(lock, r"file:///wheels/torch-2.13.0+cpu-\1.whl")
    assert made == "a==1\ntorch @ file:///wheels/torch-2.13.0+cpu-\\1.whl\ntorchvision==1\n"
    assert packages.with_pytorch_of_pip(lock, "") == lock


def test_pip_does_the_work_where_uv_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And says why in a line; its exit status is the one that counts."""
    import subprocess

    ran = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 3, stdout="", stderr="error: no such host")

    monkeypatch.setattr(packages, "find_uv", lambda: "/bin/uv")
    monkeypatch.setattr(packages.subprocess, "run", run)
    assert packages.main() == 3
    assert ran[-1][-2:] == ["-r", str(packages.LOCK)]
    assert "uv could not (error: no such host), so pip does it" in capsys.readouterr().out
