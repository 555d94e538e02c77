"""Attacks on resources: time, memory, processes, files, output."""

from __future__ import annotations

from tests.attacks.attack import Attack, body

__all__ = ["EXHAUSTION"]


def _call(name: str, aim: str, text: str, *, slow: bool = False, stock: bool = False) -> Attack:
    return Attack(
        name, aim, column_scale=body(text + "\nreturn torch.zeros_like(x), gamma * 0"), slow=slow, stock=stock
    )


def _cell(name: str, aim: str, text: str, *, slow: bool = False) -> Attack:
    return Attack(name, aim, cell=text, slow=slow)


EXHAUSTION = (
    _call(
        "fork-bomb",
        "forks without end",
        "import os\nfor _ in range(100):\n    try: os.fork()\n"
        "    except OSError as error:\n        print(error)\n        break",
    ),
    _call(
        "process-pool",
        "multiprocessing and subprocess",
        "import subprocess\ntry:\n    subprocess.run(['sleep', '60'])\nexcept OSError as error:\n    print(error)",
    ),
    _cell(
        "thread-bomb",
        "threads without end, each busy",
        """
        import threading
        def spin():
            while True: pass
        try:
            while True: threading.Thread(target=spin, daemon=True).start()
        except RuntimeError as error:
            print(error)
        """,
        slow=True,
    ),
    _call("memory-bomb", "takes memory without end", "blocks = []\nwhile True:\n    blocks.append(torch.ones(2**22))"),
    _cell(
        "memory-bomb-in-a-cell",
        "takes memory without end in a cell",
        "blocks = []\nwhile True: blocks.append(bytearray(2**24))",
    ),
    _cell("untouched-memory", "maps 1 TiB", "import mmap\nmmap.mmap(-1, 1 << 40)"),
    _cell(
        "disk-flood",
        "fills every place that can be written",
        """
        import itertools, os
        for place in ("/tmp", "/dev/shm", "/var/tmp", ".", "/"):
            try:
                for n in itertools.count():
                    with open(f"{place}/flood{n}", "wb") as file:
                        file.write(bytes(1 << 24))
            except OSError as error:
                print(place, error)
        """,
    ),
    _cell(
        "many-files",
        "a million empty files",
        """
        try:
            for n in range(1_000_000): open(f"/tmp/empty{n}", "w").close()
        except OSError as error:
            print(error)
        """,
    ),
    _cell(
        "descriptor-flood",
        "opens files without end",
        """
        kept = []
        try:
            while True: kept.append(open("/dev/null"))
        except OSError as error:
            print(error)
        """,
    ),
    _cell(
        "pipe-buffers",
        "fills the buffers of as many pipes and sockets as can be had",
        """
        import fcntl, os, socket
        try:
            while True:
                read, write = os.pipe()
                os.set_blocking(write, False)
                try:
                    fcntl.fcntl(write, 1031, 1 << 20)
                    while os.write(write, bytes(1 << 16)): pass
                except OSError: pass
        except OSError as error:
            print(error)
        """,
    ),
    _cell("output-flood", "prints 200 MB", "for _ in range(2000): print('flood ' * 16_000)"),
    _cell(
        "picture-flood",
        "shows pictures without end",
        """
        from IPython.display import Image, display
        data = bytes.fromhex("89504e470d0a1a0a") + bytes(200_000)
        for _ in range(500): display(Image(data=data, format="png"))
        """,
    ),
    Attack(
        "claimed-outputs",
        "a patched shell that hands over 7 MB of output for each of 300 cells",
        cell="""
            import inside.shell as s
            claim = [{"output_type": "stream", "name": "stdout", "text": "x" * 150_000} for _ in range(45)]
            s.CapturingShell.run = lambda self, *a, **k: (True, claim)
        """,
        edit=lambda notebook: notebook["cells"].extend(
            {
                "cell_type": "code",
                "id": f"more-{n}",
                "metadata": {},
                "source": "1",
                "outputs": [],
                "execution_count": None,
            }
            for n in range(300)
        ),
    ),
    _call("endless-loop", "an endless loop in the graded function", "while True:\n    pass", slow=True),
    _call("endless-loop-in-c", "an endless loop in C, where no Python signal arrives", "sum(iter(int, 1))", slow=True),
    _cell("endless-cell", "an endless loop in a cell", "while True: pass", slow=True),
    _call("sleep", "sleeps for an hour", "import time\ntime.sleep(3600)", slow=True),
    Attack(
        "patient-cells",
        "two hundred cells that each stay just below the limit of a cell",
        edit=lambda notebook: notebook["cells"].extend(
            {
                "cell_type": "code",
                "id": f"wait-{n}",
                "metadata": {},
                "source": "import time; time.sleep(1.2)",
                "outputs": [],
                "execution_count": None,
            }
            for n in range(200)
        ),
        slow=True,
    ),
    _call(
        "ignored-signals",
        "ignores every signal, then loops",
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        slow=True,
    ),
    _call("stopped-itself", "SIGSTOP to itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    _call(
        "killed-everyone",
        "SIGKILL to every process it may signal",
        "import os, signal\nfor pid in (-1, 0, 1, 2, 3, os.getppid()):\n    try: os.kill(pid, signal.SIGKILL)\n"
        "    except OSError as error: print(pid, error)",
    ),
    _call("crash", "invalid memory access", "import ctypes\nctypes.string_at(0)"),
    _call("abort", "abort", "import os\nos.abort()"),
    _call(
        "stack-overflow",
        "overflows the C stack",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n):\n    return f(n + 1) if n else 0\nf(1)",
    ),
    Attack(
        "deaths",
        "every cell and every function ends the process",
        cell="import os\nos._exit(1)",
        column_scale=body("import os\nos._exit(2)"),
        pair="import os\n\ndef double(x):\n    os._exit(3)\n\ndef halve(x):\n    os._exit(4)",
        last="import os\nos._exit(5)",
    ),
)
