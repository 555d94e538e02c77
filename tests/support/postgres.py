"""A PostgreSQL server for one test: its own folder, its own port, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["find_postgres", "server"]

_START_S = 60
DEBIAN = Path("/usr/lib/postgresql")


def find_postgres() -> Path | None:
    """The folder of `initdb` and `postgres`: Debian keeps them out of PATH, a folder for each version."""
    places = sorted(DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    found = [place for place in places if (place / "initdb").is_file()]
    if found:
        return found[-1]
    program = shutil.which("initdb")
    return Path(program).parent if program is not None else None


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Start a server with an empty database; yields its address for SQLAlchemy, with name and password."""
    programs = find_postgres()
    assert programs is not None, "no PostgreSQL: ask find_postgres first"
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # not below pytest's folder, which only its owner may enter
    try:
        password = secrets.token_hex(8)
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            os.chown(path, account.pw_uid, account.pw_gid)
        settings = ["--auth=scram-sha-256", "--username=teacher", f"--pwfile={folder / 'password'}", "--no-sync"]
        with (folder / "initdb.log").open("wb") as log:
            initdb = [str(programs / "initdb"), f"--pgdata={folder / 'data'}", "--encoding=UTF8", *settings]
            _start(initdb, account, folder, log.fileno()).wait(_START_S)
        with _running(programs, account, folder) as port:
            yield f"postgresql://teacher:{password}@127.0.0.1:{port}/{_create_database(port, password)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd:
    """Who runs the server: it refuses root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _start(command: list[str], account: pwd.struct_passwd, folder: Path, log: int) -> subprocess.Popen[bytes]:
    as_somebody = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, **as_somebody)  # type: ignore[call-overload, no-any-return]


@contextlib.contextmanager
def _running(programs: Path, account: pwd.struct_passwd, folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(programs / "postgres"), "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port)]
    command += ["-k", str(folder), "-c", "fsync=off"]
    with (folder / "server.log").open("wb") as log:
        process = _start(command, account, folder, log.fileno())
    try:
        _wait(port, process, folder)
        yield port
    finally:
        process.send_signal(signal.SIGINT)  # at once, whoever is still connected
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    logs = "\n".join((folder / name).read_text()[-2000:] for name in ("initdb.log", "server.log"))
    raise RuntimeError(f"PostgreSQL did not start; it wrote:\n{logs}")


def _create_database(port: int, password: str) -> str:
    import psycopg

    deadline = time.monotonic() + _START_S
    while True:  # it listens before it lets anybody in
        try:
            address = f"host=127.0.0.1 port={port} user=teacher password={password} dbname=postgres"
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("CREATE DATABASE gradebook")
            return "gradebook"
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
