"""Attacks on the verdict from inside the process: make every comparison agree, or find the expected values."""

from __future__ import annotations

from tests.attacks.attack import IN_PLACE, RIGHT, UNBIASED, WRONG, Attack, body
from tests.support import made_up

__all__ = ["FORGERIES"]

_PUBLIC = made_up.EXERCISE.make_key("public", diagnose=False)
_PUBLIC_ANSWERS = [(case.expected["y"].tolist(), case.expected["centre"].tolist()) for case in _PUBLIC.cases]
_SEARCH = """
    seen = set()
    def search(thing, depth=0):
        if depth > 4 or id(thing) in seen or len(seen) > 20000:
            return None
        seen.add(id(thing))
        if isinstance(thing, dict):
            if "expected" in thing:
                return thing["expected"]
            parts = list(thing.values())
        elif isinstance(thing, (list, tuple)):
            parts = thing
        elif hasattr(thing, "expected"):
            return thing.expected
        else:
            return None
        for part in parts:
            found = search(part, depth + 1)
            if found is not None:
                return found
"""

FORGERIES = (
    Attack(
        "displayhook-nan",
        "sys.displayhook(float('nan')) in the graded function: full marks in stock nbgrader",
        column_scale=body("import sys\nsys.displayhook(float('nan'))\nreturn torch.zeros_like(x), gamma * 0"),
        stock=True,
    ),
    Attack(
        "last-expression",
        "a display hook that claims the points of the test cell",
        column_scale=body("import sys\nsys.displayhook(5.0)\nreturn torch.zeros_like(x), gamma * 0"),
        last="5.0",
        stock=True,
    ),
    Attack(
        "input-transformer",
        "an IPython input transformer that empties every later cell",
        cell="get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])",
        stock=True,
    ),
    Attack(
        "ast-transformer",
        "an IPython AST transformer that removes calls of check",
        cell="""
            import ast
            class Quiet(ast.NodeTransformer):
                def visit_Expr(self, node):
                    return ast.copy_location(ast.Pass(), node)
            get_ipython().ast_transformers.append(Quiet())
        """,
        stock=True,
    ),
    Attack(
        "patched-run-cell",
        "a shell whose run_cell always succeeds",
        cell="""
            shell = get_ipython()
            class Fine:
                success, error_in_exec, error_before_exec, result = True, None, None, 5.0
                def raise_error(self): pass
            type(shell).run_cell = lambda self, *a, **k: Fine()
        """,
    ),
    Attack(
        "patched-check",
        "course_lib.check replaced by a function that is always content",
        cell="""
            import course_lib, course_lib.checking.check
            course_lib.check = course_lib.checking.check.check = check = lambda *a, **k: None
        """,
        stock=True,
    ),
    Attack(
        "patched-judge",
        "course_lib.checking.verdict and course_lib.checking.comparison patched to agree",
        cell="""
            import course_lib.checking.verdict as v, course_lib.checking.comparison as c
            c.compare = v.compare = v._mismatch = c._compare_tensors = lambda *a, **k: None
            v.judge = lambda key, responses: v.Verdict(key, tuple(v.CriterionResult(k, True) for k in key.criteria))
        """,
        stock=True,
    ),
    Attack(
        "patched-torch-comparison",
        "torch.allclose, equal, isclose, Tensor.__eq__ and assert_close patched",
        cell="""
            for name in ("allclose", "equal", "isclose"):
                setattr(torch, name, lambda *a, **k: True)
                setattr(torch.Tensor, name, lambda *a, **k: True)
            torch.testing.assert_close = lambda *a, **k: None
            torch.Tensor.__eq__ = lambda self, other: torch.ones(self.shape, dtype=torch.bool)
            torch.Tensor.__sub__ = lambda self, other: torch.zeros(self.shape)
            torch.Tensor.all = torch.Tensor.any = lambda self, *a, **k: True
        """,
    ),
    Attack(
        "patched-numpy",
        "numpy.testing, allclose and abs patched",
        cell="""
            import numpy as np, numpy.testing as nt
            nt.assert_allclose = nt.assert_array_equal = nt.assert_almost_equal = lambda *a, **k: None
            np.allclose = np.array_equal = lambda *a, **k: True
            np.abs = np.absolute = lambda a, **k: 0 * a
            np.isfinite = np.isnan = lambda a, **k: np.ones_like(a, dtype=bool)
        """,
    ),
    Attack(
        "patched-builtins",
        "builtins all, any, abs, isinstance and len patched",
        cell="""
            import builtins
            builtins.all = lambda parts: True
            builtins.any = lambda parts: False
            builtins.abs = lambda number: 0
        """,
    ),
    Attack(
        "patched-safetensors",
        "safetensors writes the inputs' own bytes whatever it is asked to write",
        cell="""
            import safetensors.torch as st
            real = st.save
            st.save = lambda tensors, metadata=None: real({n: torch.full_like(t, float("nan")) if t.is_floating_point()
                                                           else t for n, t in tensors.items()}, metadata)
        """,
    ),
    Attack(
        "patched-json",
        "json writes points into every message",
        cell="""
            import json
            real = json.dumps
            json.dumps = lambda value, **k: real({**value, "score": 5.0, "passed": True, "holds": True}
                                                 if isinstance(value, dict) else value, **k)
        """,
    ),
    Attack(
        "patched-pack",
        "the answer is packed with a verdict of its own",
        cell="""
            import course_lib.checking.values as v, inside.serve as s
            real = v.pack
            s.pack = v.pack = lambda value: real({**value, "score": 5, "criteria": {"all": True}, "passed": True})
        """,
    ),
    Attack(
        "patched-inputs-check",
        "changes its inputs and patches the function that would notice",
        cell="""
            import course_lib.checking.drivers as d
            d._equal = d._equal_tensors = lambda *a: True
            d.changed_inputs = lambda *a: ()
            torch.equal = lambda *a: True
        """,
        column_scale=IN_PLACE,
        plain=IN_PLACE,
    ),
    Attack(
        "patched-drivers",
        "the driver answers instead of the function",
        cell="""
            import course_lib.checking.drivers as d
            for name in d.DRIVERS:
                d.DRIVERS[name] = lambda namespace, function, inputs: {"y": True, "centre": True}
        """,
    ),
    Attack(
        "patched-server",
        "the child's own server says that all went well",
        cell="""
            import inside.serve as s
            s._run = lambda *a, **k: {"result": "correct", "passed": True, "score": 5, "changed": ()}
        """,
    ),
    Attack(
        "replayed-public-answers",
        "hands out the expected values of the public cases in their order",
        column_scale=f"answers = {_PUBLIC_ANSWERS!r}\ncalls = [0]\n"
        + body(
            """
            calls[0] += 1
            y, centre = answers[(calls[0] - 1) % len(answers)]
            return torch.tensor(y, dtype=x.dtype), torch.tensor(centre, dtype=x.dtype)
            """
        ),
    ),
    Attack(
        "always-equal",
        "an object that equals everything",
        column_scale="""
            class Same(float):
                shape, dtype, ndim = (), None, 0
                __eq__ = __le__ = __ge__ = __bool__ = lambda *a: True
                __ne__ = __lt__ = __gt__ = lambda *a: False
                __hash__ = None
                __sub__ = __rsub__ = __abs__ = lambda *a: 0.0
                __getattr__ = lambda self, name: (lambda *a, **k: Same())
                __iter__ = lambda self: iter([Same(), Same()])
                __len__ = lambda self: 2
            def column_scale(x, gamma, eps):
                return Same(), Same()
        """,
    ),
    Attack(
        "torch-function",
        "a tensor subclass whose __torch_function__ makes every comparison true",
        column_scale="""
            class Liar(torch.Tensor):
                @classmethod
                def __torch_function__(cls, func, types, args=(), kwargs=None):
                    if func.__name__ in ("allclose", "equal", "isclose", "eq", "all"):
                        return True
                    with torch._C.DisableTorchFunctionSubclass():
                        return func(*args, **(kwargs or {}))
            def column_scale(x, gamma, eps):
                return torch.zeros_like(x).as_subclass(Liar), torch.zeros_like(gamma).as_subclass(Liar)
        """,
    ),
    Attack(
        "changing-tensor",
        "a tensor subclass that returns something else each time it is looked at",
        column_scale="""
            class Moving(torch.Tensor):
                def detach(self): return torch.full(self.shape, float("nan"))
                def to(self, *a, **k): return Moving(torch.rand(3, 3))
                def contiguous(self): return self
                layout = property(lambda self: torch.strided)
            def column_scale(x, gamma, eps):
                return Moving(torch.zeros(x.shape)), Moving(torch.zeros(gamma.shape))
        """,
    ),
    Attack(
        "frame-inspection",
        "searches all frames for expected values",
        column_scale=body(
            _SEARCH
            + """
    import sys
    frame = sys._getframe()
    while frame is not None:
        found = search(dict(frame.f_locals)) or search(dict(frame.f_globals))
        if found is not None:
            return found
        frame = frame.f_back
    return torch.zeros_like(x), gamma * 0
"""
        ),
    ),
    Attack(
        "gc-inspection",
        "searches all objects of the process for expected values, cases and references",
        column_scale=body(
            """
            import gc
            for thing in gc.get_objects():
                try:
                    if type(thing).__name__ in ("CaseKey", "ExerciseKey", "Exercise", "Case"):
                        found = getattr(thing, "expected", None) or getattr(thing, "reference", None)
                        if found:
                            print("FOUND", type(thing))
                            return tuple(found.values()) if isinstance(found, dict) else found(x, gamma, eps)
                except Exception:
                    pass
            return torch.zeros_like(x), gamma * 0
            """
        ),
    ),
    Attack(
        "imported-references",
        "imports the grader and calls the reference",
        column_scale=body(
            """
            try:
                from exercises.made_up import column_scale as found
                from autograder.exercise import Exercise
                return found.reference(x, gamma, eps)
            except ImportError:
                return torch.zeros_like(x), gamma * 0
            """
        ),
    ),
    Attack(
        "references-on-disk",
        "looks for the grader's source on every path and runs it",
        column_scale=body(
            """
            import importlib.util, os
            for root in ("/sandbox", "/usr/src", "/usr/local", "/opt", "/srv", "/root", "/home", "/tmp", "/mnt"):
                for folder, folders, files in os.walk(root):
                    folders[:] = [f for f in folders if f not in ("torch", "node_modules", "share")]
                    for name in files:
                        if name in ("column_scale.py", "made_up.py") and "sympy" not in folder:
                            spec = importlib.util.spec_from_file_location("found", os.path.join(folder, name))
                            module = importlib.util.module_from_spec(spec)
                            try:
                                spec.loader.exec_module(module)
                                return module.reference(x, gamma, eps)
                            except Exception:
                                pass
            return torch.zeros_like(x), gamma * 0
            """
        ),
    ),
    Attack(
        "patched-randomness",
        "seeds every generator so that hidden inputs repeat",
        cell="""
            torch.manual_seed(0)
            torch.Generator.manual_seed = lambda self, seed: self
            torch.randn = torch.rand = lambda *shape, **k: torch.zeros(*[s for s in shape if isinstance(s, int)])
            import random, secrets
            random.seed(0); secrets.randbits = lambda bits: 4
        """,
    ),
    Attack(
        "import-hook",
        "a finder on sys.meta_path that replaces whatever is imported later",
        cell="""
            import sys, types
            class Finder:
                def find_spec(self, name, path=None, target=None):
                    from importlib.machinery import ModuleSpec
                    return ModuleSpec(name, self)
                def create_module(self, spec): return types.ModuleType(spec.name)
                def exec_module(self, module): module.__getattr__ = lambda name: (lambda *a, **k: True)
            sys.meta_path.insert(0, Finder())
        """,
    ),
    Attack(
        "atexit",
        "writes a result when the process ends",
        cell="""
            import atexit, json
            def late():
                for path in ("result.json", "/tmp/result.json", "/sandbox/result.json"):
                    try: open(path, "w").write(json.dumps({"score": 5}))
                    except OSError: pass
            atexit.register(late)
        """,
    ),
    Attack(
        "signal-handler",
        "an alarm that changes the answers while they are under way",
        cell="""
            import signal
            def late(*a):
                import course_lib.checking.values as v
                v._encode = lambda *a: {"x": "nothing"}
            signal.signal(signal.SIGALRM, late); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        """,
    ),
    Attack(
        "thread-outlives-call",
        "a thread that goes on changing other exercises' functions and inputs",
        column_scale=body(
            """
            import threading, time
            def work():
                while True:
                    globals()["double"] = lambda x: x * 3
                    x.zero_()
                    time.sleep(0.001)
            threading.Thread(target=work, daemon=True).start()
            return torch.zeros_like(x), gamma * 0
            """
        ),
    ),
    Attack(
        "exception-named-passed",
        "raises exceptions whose names look like results",
        column_scale=body(
            """
            class Passed(BaseException):
                score = 5.0
                def __str__(self): return "passed: 5 of 5 points"
            raise Passed()
            """
        ),
    ),
    Attack(
        "exit-zero",
        "ends the program with success in a graded function",
        column_scale=body("raise SystemExit(0)"),
        pair="import sys\n\ndef double(x):\n    sys.exit(0)\n\ndef halve(x):\n    raise KeyboardInterrupt",
        stock=True,
    ),
    Attack(
        "os-exit",
        "os._exit in the graded function: no score at all in stock nbgrader",
        column_scale=body("import os\nos._exit(0)"),
        stock=True,
    ),
    Attack(
        "hostile-exception-text",
        "an exception whose text cannot be had",
        column_scale=body(
            """
            class Bad(Exception):
                def __str__(self): raise RuntimeError("no text")
                __repr__ = __str__
            raise Bad()
            """
        ),
    ),
    Attack(
        "rounded-to-bfloat16",
        "a variance that is off by some percent, hidden behind a coarse dtype's tolerance",
        column_scale=UNBIASED.replace("def column_scale", "def _wrong")
        + "\n\n\ndef column_scale(x, gamma, eps):\n    return tuple(t.bfloat16() for t in _wrong(x, gamma, eps))\n",
        plain=UNBIASED,
    ),
    Attack(
        "all-nan",
        "NaN everywhere, which some comparisons let pass",
        column_scale=body("return x * float('nan'), gamma * float('nan')"),
        pair="def double(x):\n    return x * float('nan')\n\ndef halve(x):\n    return float('nan')",
    ),
    Attack(
        "all-inf",
        "infinities, which make relative errors vanish",
        column_scale=body("return x / 0, gamma / 0"),
        pair="def double(x):\n    return x / 0\n\ndef halve(x):\n    return float('inf')",
    ),
    Attack(
        "claims-in-words",
        "returns the words that a result has",
        column_scale=body("return {'y': 'expected', 'centre': 'expected', 'score': 5, 'holds': True, 'passed': True}"),
        pair="def double(x):\n    return 'expected'\n\ndef halve(x):\n    return True",
    ),
    Attack(
        "score-in-outputs",
        "outputs that claim to be a score for nbgrader",
        cell="""
            import inside.shell as s
            from IPython.display import display
            display({"text/plain": "5.0"}, raw=True)
            5.0
        """,
        column_scale=WRONG + "\n\nprint('5.0')\n5.0",
        stock=True,
    ),
    Attack(
        "decoys",
        "defines the function twice, the second time through its own cell's globals",
        cell="globals()['column_scale'] = lambda *a: True",
        last="globals()['column_scale'] = lambda *a: 5.0\ncheck = print",
    ),
    Attack(
        "right-answer-to-one-exercise-only",
        "a right answer does not pay for another exercise, whatever it leaves behind",
        column_scale=RIGHT + "\n\n\nhalve = double = column_scale\n",
        plain=RIGHT,
        pair="pass",
    ),
)
