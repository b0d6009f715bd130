"""Attacks that a submission makes inside its own process, each with what it earns by them.

The course of these attacks has seven tests, one for each way in which tests judge. All answers give
the same wrong numbers. An attack is a cell that stands before the answers, or replaces some.
"""

from dataclasses import dataclass, field

from nbformat.v4 import new_code_cell, new_notebook

from tests.toy_course import nbgrader

ANSWERS = {
    "plain": "def plain(x):\n    return 2 * abs(x)",
    "tensor": "def tensor(x):\n    return 2 * x.abs()",
    "equal": "def equal(x):\n    return 2 * x.abs()",
    "array": "def array(x):\n    return 2 * np.abs(x)",
    "partial": "def partial(x):\n    return 2 * abs(x)",
    "exact": "def exact(x):\n    return 2 * abs(x)",
    "helped": "def helped(x):\n    return 2 * abs(x)",
}
RIGHT = {
    "plain": "def plain(x):\n    return 2 * x",
    "tensor": "def tensor(x):\n    return 2 * x",
    "equal": "def equal(x):\n    return 2 * x",
    "array": "def array(x):\n    return 2 * x",
    "partial": "def partial(x):\n    return 2 * x",
    "exact": "def exact(x):\n    return 2 * x",
    "helped": "def helped(x):\n    return 2 * x",
}
TESTS = {
    "plain": """\
### BEGIN HIDDEN TESTS
assert abs(plain(-3) - (-6)) < 1e-6, "the sign is lost"
assert all(plain(x) == 2 * x for x in (-1, -2)) and isinstance(plain(1), int)
### END HIDDEN TESTS""",
    "tensor": """\
### BEGIN HIDDEN TESTS
x = torch.linspace(-1, 1, 5)
got = tensor(x)
assert torch.allclose(got, 2 * x), "the sign is lost"
torch.testing.assert_close(got, 2 * x)
assert torch.equal(got, 2 * x)
### END HIDDEN TESTS""",
    "equal": """\
### BEGIN HIDDEN TESTS
x = torch.linspace(-1, 1, 5)
assert (equal(x) == 2 * x).all(), "the sign is lost"
### END HIDDEN TESTS""",
    "array": """\
### BEGIN HIDDEN TESTS
x = np.linspace(-1, 1, 5)
np.testing.assert_allclose(array(x), 2 * x)
assert np.allclose(array(x), 2 * x)
### END HIDDEN TESTS""",
    "partial": """\
### BEGIN HIDDEN TESTS
right = [partial(x) == 2 * x for x in (-2, -1)]
### END HIDDEN TESTS
sum(right) / len(right)""",
    "exact": """\
### BEGIN HIDDEN TESTS
got = exact(-2.5)
assert type(got) is float and got == -5.0, "the sign is lost"
### END HIDDEN TESTS""",
    "helped": """\
### BEGIN HIDDEN TESTS
assert all(is_close(helped(x), 2 * x) for x in test_set), "the sign is lost"
### END HIDDEN TESTS""",
}
GIVEN = """\
import numpy as np
import torch

TOL = 1e-6
test_set = [-4, 4]


def is_close(a, b):
    return abs(a - b) < TOL"""


def source_notebook():
    """The instructor's notebook: seven answers, a test of one point for each."""
    cells = [new_code_cell(GIVEN, metadata=nbgrader("given"))]
    cells[0].metadata["nbgrader"]["locked"] = True
    for name, test in TESTS.items():
        answer = f"### BEGIN SOLUTION\n{RIGHT[name]}\n### END SOLUTION"
        cells.append(new_code_cell(answer, metadata=nbgrader(name, solution=True)))
        metadata = nbgrader(f"test_{name}", grade=True, points=1)
        cells.append(new_code_cell(test, metadata=metadata))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=kernel)


@dataclass
class Attack:
    """What a student hands in, and what it earns.

    Attributes:
        name: which says what it does.
        cell: code before the first answer.
        answers: answers that are not the usual wrong ones.
        earns: the tests whose points it gets in spite of wrong answers.
    """

    name: str
    cell: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    earns: tuple[str, ...] = ()


def everywhere(body):
    """All seven answers with the same body."""
    return {name: f"def {name}(x):\n    {body}" for name in TESTS}


YES = """\
class Yes:
    def __call__(self, *a, **k): return self
    def __bool__(self): return True
    def __float__(self): return 1.0
    def __repr__(self): return "1.0"
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return self
for name in "eq ne lt le gt ge add radd sub rsub mul rmul abs neg and or truediv".split():
    setattr(Yes, f"__{name}__", lambda self, *a: self)
Yes.__hash__ = object.__hash__"""
TENSOR = """\
class Fake(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
class FakeArray(np.ndarray):
    def __array_function__(self, function, types, args, kwargs):
        if function.__name__ == "allclose": return True
        if function.__name__ == "isclose": return np.ones(5, bool)
        return super().__array_function__(function, types, args, kwargs)"""
KERNEL = "kernel = get_ipython().kernel\n"
FORGE = """\
def forge(result=None, **proof):
    kernel = get_ipython().kernel
    parent = kernel.get_parent("shell")
    send = kernel.session.send
    if result:
        content = {"data": {"text/plain": result}, "metadata": {}, "execution_count": 1}
        send(kernel.iopub_socket, "execute_result", content, parent=parent)
    stream = kernel.shell_channel_thread.manager.get_subshell_to_shell_channel_socket(None)
    reply = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": [], **proof}
    send(stream, "execute_reply", reply, parent=parent, ident=kernel._shell_parent_ident.get())
    send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=parent)"""
THREAD = """\
import threading, time, builtins
def patch():
    while True:
        torch.allclose = torch.equal = np.allclose = lambda *a, **k: True
        torch.testing.assert_close = np.testing.assert_allclose = lambda *a, **k: None
        time.sleep(0.0005)
threading.Thread(target=patch, daemon=True).start()"""
TRUE = "lambda *a, **k: True"
NAMES = ("print", "isinstance", "abs", "all", "any", "len", "sum", "float", "bool", "max")
NAMES += ("sorted", "zip", "map", "vars", "type", "set", "list", "dict", "hasattr", "getattr")
ALL_BUILTINS = "import builtins\n" + "\n".join(f"builtins.{name} = {TRUE}" for name in NAMES)
SHADOWS = "abs = lambda x: 0\nall = any = isinstance = lambda *a: True\nlen = lambda x: 1"

# names of the notebook stand before builtins where nothing puts that right
NO_GUARD = (
    SHADOWS
    + f"""
sum = lambda x: 1
def judge():
    torch.allclose = torch.equal = np.allclose = {TRUE}
    torch.testing.assert_close = np.testing.assert_allclose = {TRUE}
    torch.Tensor.__eq__ = lambda *a: torch.tensor(True)
judge()"""
)
CERTAIN = """\
fakes = {"abs": lambda x: 0}
def rewrite():
    for name in list(globals()):
        if name.startswith("_certain_"):
            globals()[name] = fakes.get(name.rpartition(".")[2], lambda *a: 1)"""
CERTAIN_BACK = """\
def rewrite():
    held = {name: value for name, value in globals().items() if name.startswith("_certain_")}
    def fake(x):
        globals().update(held)
        return 0
    globals().update({name: fake for name in held if name.endswith(".abs")})"""
FIND = """\
import sys
def find(name):
    frame = sys._getframe()
    while name not in frame.f_locals: frame = frame.f_back
    return frame.f_locals[name]
"""


# those that could not raise a score on their own; the others are defeated, but for those that earn
HARMLESS = {
    *("assertion_error", "no_modules", "deleted_names"),
    *("getsource", "import_hook", "magics", "recursion", "optimize", "iopub_socket"),
    *("prints_a_number", "sys_exit", "quits", "interrupts_itself", "cancelled"),
    *("generator_exit", "nothing", "mutable_default"),
    *("never_returns", "reads_the_file", "settrace_when_called"),
}


def attacks():
    """The table."""
    return [
        *replaced(),
        *hooks(),
        *kernel_parts(),
        *objects(),
        *at_the_test(),
        *run_of_the_test(),
        *reading(),
        *guards(),
        *given(),
    ]


def fate(attack):
    """What becomes of an attack: it is defeated, harmless by its nature, or it remains."""
    if attack.earns:
        return "remains"
    return "harmless" if attack.name in HARMLESS else "defeated"


def replaced():
    """Attacks that replace what the tests call."""
    return [
        Attack("builtins", ALL_BUILTINS),
        Attack("builtins_abs", "import builtins\nbuiltins.abs = lambda x: 0"),
        Attack("builtins_all", f"import builtins\nbuiltins.all = builtins.isinstance = {TRUE}"),
        Attack("shadowed_names", SHADOWS + "\nsum = lambda x: len(x)"),
        Attack("shadowed_builtins", "__builtins__ = {**vars(__builtins__), 'abs': lambda x: 0}"),
        Attack(
            "builtins_module",
            "import types\n__builtins__ = types.ModuleType('builtins')\n"
            "vars(__builtins__).update({**vars(get_ipython().builtin_trap.__class__), 'abs': len})",
        ),
        Attack("build_class", f"import builtins\nbuiltins.__import__ = {TRUE}"),
        Attack(
            "compile", "import builtins\nbuiltins.compile = lambda *a, **k: (lambda: 0).__code__"
        ),
        Attack("exec", f"import builtins\nbuiltins.exec = builtins.eval = {TRUE}"),
        Attack("assertion_error", "import builtins\nbuiltins.AssertionError = SystemExit"),
        Attack("torch_testing", f"torch.testing.assert_close = {TRUE}"),
        Attack(
            "torch_testing_inside",
            f"torch.testing._comparison.not_close_error_metas = lambda *a, **k: []\n"
            f"torch.testing._comparison.assert_equal = {TRUE}",
        ),
        Attack(
            "everything_of_torch",
            f"torch.allclose = torch.equal = torch.testing.assert_close = {TRUE}\n"
            f"torch.Tensor.__eq__ = lambda *a: torch.tensor(True)",
        ),
        Attack("code_of_a_function", f"torch.testing.assert_close.__code__ = ({TRUE}).__code__"),
        Attack(
            "code_that_cannot_be_set_again",
            f"import sys\ntorch.testing.assert_close.__code__ = ({TRUE}).__code__\n"
            "def veto(event, arguments):\n    if event == 'object.__setattr__':\n"
            "        raise RuntimeError\nsys.addaudithook(veto)",
        ),
        Attack("defaults", "torch.testing.assert_close.__kwdefaults__.update(atol=99, rtol=99)"),
        Attack(
            "other_defaults",
            "torch.allclose.__defaults__ = (99, 99)\n"
            "np.testing.assert_allclose.__defaults__ = (99, 99)",
        ),
        Attack(
            "defaults_equal_to_anything",
            YES + "\ntorch.testing.assert_close.__kwdefaults__.update(atol=Yes(), rtol=Yes())\n"
            "np.testing.assert_allclose.__defaults__ = (Yes(), Yes(), True, '', True)\n"
            "np.allclose._implementation.__defaults__ = (Yes(), Yes(), True)\n"
            "np.isclose._implementation.__defaults__ = (Yes(), Yes(), True)\n"
            "is_close.__defaults__ = (Yes(), Yes())",
        ),
        Attack(
            "dictionaries",
            f"import gc\nvars(torch).update(allclose={TRUE}, equal={TRUE})\n"
            f"vars(torch.testing)['assert_close'] = vars(np.testing)['assert_allclose'] = {TRUE}\n"
            f"gc.get_referents(vars(torch.Tensor))[0].update(all={TRUE}, __bool__={TRUE})",
        ),
        Attack("tensor_eq", "torch.Tensor.__eq__ = lambda *a: torch.tensor(True)"),
        Attack(
            "tensor_all", f"torch.Tensor.all = torch.Tensor.item = torch.Tensor.__bool__ = {TRUE}"
        ),
        Attack("tensor_abs", "torch.Tensor.abs = lambda self: self\ntorch.abs = lambda x: x"),
        Attack("numpy_inside", f"np._core.numeric.isclose = np.isclose = {TRUE}"),
        Attack(
            "mock", f"import unittest.mock\nunittest.mock.patch('numpy.allclose', {TRUE}).start()"
        ),
        Attack("linspace", "torch.linspace = torch.zeros\nnp.linspace = lambda *a: np.zeros(5)"),
        Attack("name_of_torch", YES + "\ntorch = np = Yes()"),
        Attack(
            "modules", YES + "\nimport sys\nsys.modules['torch'] = sys.modules['numpy'] = Yes()"
        ),
        Attack("no_modules", "import sys\nsys.modules = {}"),
        Attack("deleted_names", "del torch, np, is_close"),
        Attack("own_is_close", f"is_close = {TRUE}"),
        Attack("is_close_inside", f"is_close.__code__ = ({TRUE}).__code__"),
        Attack("getsource", f"import inspect\ninspect.getsource = inspect.signature = {TRUE}"),
        Attack(
            "torch_mode",
            "from torch.overrides import TorchFunctionMode\nclass Mode(TorchFunctionMode):\n"
            "    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
            "        return True\nMode().__enter__()",
        ),
        Attack(
            "dispatch_mode",
            "from torch.utils._python_dispatch import TorchDispatchMode\n"
            "class Mode(TorchDispatchMode):\n"
            "    def __torch_dispatch__(self, f, types, args=(), kwargs=None):\n"
            "        return torch.tensor(True)\nMode().__enter__()",
        ),
        Attack("import_hook", IMPORT_HOOK),
        Attack("classes_of_modules", LIE + "lie()"),
        Attack(
            "class_that_answers_itself",
            "import types\nclass Module(types.ModuleType):\n"
            "    __dict__ = __class__ = property(lambda self: {})\n"
            "    def __setattr__(self, name, value): raise AttributeError\n"
            "    def __getattribute__(self, name):\n"
            "        if name in ('allclose', 'equal', 'assert_close', 'assert_allclose'):\n"
            "            return lambda *a, **k: True\n"
            "        return types.ModuleType.__getattribute__(self, name)\n"
            "for module in (torch, np, torch.testing, np.testing): module.__class__ = Module",
        ),
        Attack(
            "inside_of_numpy",
            "def yes(a, b, rtol=1, atol=1, equal_nan=False): return True\n"
            "np.allclose._implementation.__code__ = yes.__code__\n"
            "np.isclose._implementation.__code__ = yes.__code__",
        ),
    ]


LIE = """\
import builtins, types
def put(module, **names):
    names = {n: property(lambda self, v=v: v, lambda *a: None) for n, v in names.items()}
    module.__class__ = type("Module", (types.ModuleType,), names)
def lie():
    yes = lambda *a, **k: True
    put(builtins, abs=lambda x: 0, all=yes, isinstance=yes, sum=lambda x: 1, len=lambda x: 1)
    put(torch, allclose=yes, equal=yes)
    put(torch.testing, assert_close=yes)
    put(np, allclose=yes)
    put(np.testing, assert_allclose=yes)
"""
IMPORT_HOOK = """\
import sys, types
class Finder:
    def find_spec(self, name, path=None, target=None):
        raise ImportError(name)
sys.meta_path.insert(0, Finder())
sys.path_hooks.insert(0, lambda path: Finder())"""


def hooks():
    """Attacks on IPython's hooks."""
    shell = "shell = get_ipython()\n"
    drop = (
        "import ast\nclass Drop(ast.NodeTransformer):\n"
        "    def visit_Assert(self, node): return ast.Pass()\n"
    )
    return [
        Attack("ast_transformer", f"{drop}get_ipython().ast_transformers.append(Drop())"),
        Attack(
            "node_transformer",
            "import ast\nast.NodeTransformer.visit = lambda s, n: ast.Module([], [])",
        ),
        Attack(
            "transform_ast",
            shell + "shell.transform_ast = lambda n: __import__('ast').Module([], [])",
        ),
        Attack(
            "input_transformer",
            shell + "shell.input_transformers_cleanup.append(lambda l: ['1\\n'])",
        ),
        Attack(
            "input_transformer_post",
            shell + "shell.input_transformers_post.append(lambda l: ['pass\\n'])",
        ),
        Attack("transform_cell", shell + "shell.transform_cell = lambda c: 'pass'"),
        Attack("run_cell", shell + "shell.run_cell = shell.run_cell_async = shell.run_code = None"),
        Attack("run_code", shell + "async def run(*a, **k): return False\nshell.run_code = run"),
        Attack(
            "run_code_of_the_class",
            shell + "async def run(*a, **k): return False\ntype(shell).run_code = run\n"
            "type(shell).__mro__[1].run_code = run",
        ),
        Attack(
            "class_of_the_shell",
            shell
            + "class Shell(type(shell)):\n    async def run_code(self, *a, **k): return False\n"
            "shell.__class__ = Shell",
        ),
        Attack(
            "showtraceback",
            shell + "shell.showtraceback = shell._showtraceback = lambda *a, **k: None",
        ),
        Attack(
            "custom_exception",
            shell + "shell.set_custom_exc((BaseException,), lambda *a, **k: None)",
        ),
        Attack("excepthook", "import sys\nsys.excepthook = sys.unraisablehook = lambda *a: None"),
        Attack(
            "shells_displayhook",
            shell + "hook = shell.displayhook\nold = type(hook).__call__\n"
            "type(hook).__call__ = lambda self, value: old(self, 1.0)\n"
            "shell.display_trap.hook = lambda value: old(hook, 1.0)",
        ),
        Attack("no_values", "%config InteractiveShell.ast_node_interactivity = 'none'"),
        Attack(
            "precision",
            "get_ipython().display_formatter.formatters['text/plain'].float_format = '1.0'",
        ),
        Attack(
            "printer_of_floats",
            "f = get_ipython().display_formatter.formatters['text/plain']\n"
            "f.for_type(float, lambda value, p, cycle: p.text('1.0'))\n"
            "f.for_type(int, lambda value, p, cycle: p.text('1.0'))",
        ),
        Attack(
            "events",
            shell + f"def patch(*a): torch.allclose = torch.equal = {TRUE}\n"
            "for name in ('pre_run_cell', 'pre_execute'): shell.events.register(name, patch)",
        ),
        Attack(
            "result_in_an_event",
            shell + "def ok(result): result.error_in_exec = result.error_before_exec = None\n"
            "shell.events.register('post_run_cell', ok)\n"
            "shell.events.register('post_execute', lambda: shell.showtraceback)",
        ),
        Attack(
            "magics",
            "from IPython.core.magic import register_cell_magic\n@register_cell_magic\n"
            "def time(line, cell): pass",
        ),
        Attack("recursion", "import sys\nsys.setrecursionlimit(70)"),
        Attack(
            "optimize",
            "import ctypes, sys\nctypes.pythonapi.Py_OptimizeFlag = 2\n"
            "get_ipython().compile.flags |= 0x400",
        ),
        Attack(
            "timer",
            "import signal\nsignal.signal(signal.SIGALRM, lambda *a: patch())\n"
            f"def patch(): torch.allclose = torch.equal = {TRUE}\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)",
        ),
        Attack(
            "gc_callback",
            f"import gc\ngc.callbacks.append(lambda *a: setattr(torch, 'equal', {TRUE}))",
        ),
        Attack(
            "task",
            "import asyncio\nasync def patch():\n    while True:\n"
            f"        torch.allclose = torch.equal = {TRUE}\n        await asyncio.sleep(0)\n"
            "task = asyncio.ensure_future(patch())",
        ),
    ]


def kernel_parts():
    """Attacks on the kernel's own methods, and messages in its name."""
    ok = "async def ok(*a, **k): return {'status': 'ok', 'execution_count': 1, 'payload': []}\n"
    return [
        Attack("do_execute", KERNEL + ok + "kernel.do_execute = ok"),
        Attack("execute_request", KERNEL + ok + "kernel.shell_handlers['execute_request'] = ok"),
        Attack(
            "class_of_the_kernel",
            KERNEL + ok + "class Kernel(type(kernel)): do_execute = ok\nkernel.__class__ = Kernel",
        ),
        Attack(
            "do_execute_later",
            KERNEL + ok + "import asyncio\nasyncio.get_event_loop().call_later("
            "0.0, lambda: setattr(kernel, 'do_execute', ok))",
        ),
        Attack(
            "send",
            KERNEL + "send = kernel.session.send\ndef fake(stream, kind, content=None, *a, **k):\n"
            "    if kind == 'error': return\n"
            "    if kind == 'execute_reply': content = {'status': 'ok', 'execution_count': 1}\n"
            "    return send(stream, kind, content, *a, **k)\nkernel.session.send = fake",
        ),
        Attack(
            "send_of_the_class",
            KERNEL + "old = type(kernel.session).send\n"
            "def send(self, stream, kind, content=None, *a, send=old, **k):\n"
            "    if kind == 'execute_reply': content['status'] = 'ok'\n"
            "    return None if kind == 'error' else send(self, stream, kind, content, *a, **k)\n"
            "type(kernel.session).send = send",
        ),
        Attack(
            "iopub_socket",
            KERNEL + "class Deaf:\n    def send_multipart(self, *a, **k): pass\n"
            "kernel.iopub_socket = kernel.session.send = Deaf()",
        ),
        Attack(
            "finish_metadata",
            KERNEL + "kernel.finish_metadata = lambda p, m, r: r.update(status='ok') or m",
        ),
        Attack(
            "next_reply",
            FORGE + "\nkernel = get_ipython().kernel\nfor step in range(1, 9):\n"
            "    parent = dict(kernel.get_parent('shell'))\n"
            "    front, number = parent['header']['msg_id'].rpartition('_')[::2] or ('', '0')\n"
            "    number = int(number) + step if number.isdigit() else step\n"
            "    parent['header'] = {**parent['header'], 'msg_id': f'{front}_{number}'}\n"
            "    stream = kernel.shell_channel_thread.manager"
            ".get_subshell_to_shell_channel_socket(None)\n"
            "    kernel.session.send(stream, 'execute_reply', {'status': 'ok'}, parent=parent,"
            " ident=kernel._shell_parent_ident.get())",
        ),
        Attack("reply_at_the_test", FORGE, everywhere("forge()\n    raise ValueError(x)")),
        Attack("result_at_the_test", FORGE, everywhere("forge('1.0')\n    raise ValueError(x)")),
        Attack(
            "shows_a_result",
            "hook = get_ipython().displayhook",
            everywhere("hook(1.0)\n    return abs(x)"),
        ),
        Attack("prints_a_number", "", everywhere("print(1.0)\n    return abs(x)")),
        Attack(
            "clears_the_output",
            "import atexit\nfrom IPython.display import clear_output\n"
            "atexit.register(clear_output)",
            everywhere("clear_output(); clear_output(wait=True)\n    return abs(x)"),
        ),
        Attack("sys_exit", "import sys", everywhere("sys.exit()")),
        Attack("quits", "", everywhere("get_ipython().ask_exit()\n    return abs(x)")),
        Attack("interrupts_itself", "", everywhere("raise KeyboardInterrupt")),
        Attack("cancelled", "import asyncio", everywhere("raise asyncio.CancelledError")),
        Attack("generator_exit", "", everywhere("raise GeneratorExit")),
    ]


def objects():
    """Attacks by what the answers return."""

    def returns(text):
        return everywhere(f"return {text}")

    return [
        Attack("equal_to_everything", YES, returns("Yes()"), earns=("equal", "partial", "helped")),
        Attack(
            "float_of_its_own",
            "class Float(float):\n    def __eq__(self, other): return True\n"
            "    def __sub__(self, other): return Float(0)\n    def __abs__(self): return 0.0\n"
            "    def __lt__(self, other): return True",
            returns("Float(abs(x)) if isinstance(x, (int, float)) else x.__abs__()"),
            earns=("partial", "helped"),
        ),
        Attack(
            "int_of_its_own",
            "class Int(int):\n    def __eq__(self, other): return True\n"
            "    def __sub__(self, other): return 0",
            returns("Int(abs(x)) if isinstance(x, int) else abs(x)"),
            earns=("plain", "partial", "helped"),
        ),
        Attack(
            "tensor_of_its_own",
            TENSOR,
            {"tensor": "def tensor(x):\n    return x.abs().as_subclass(Fake)"},
        ),
        Attack(
            "array_of_its_own",
            TENSOR,
            {"array": "def array(x):\n    return np.abs(x).view(FakeArray)"},
            earns=("array",),
        ),
        Attack("nothing", "", returns("None")),
        Attack("nan", "", returns("x * float('nan')")),
        Attack(
            "first_and_second_time",
            "calls = []",
            everywhere("calls.append(x)\n    return 2 * x if len(calls) % 2 else abs(x)"),
            earns=("tensor", "partial", "exact"),
        ),
        Attack(
            "mutable_default",
            "",
            {
                "plain": "def plain(x, seen=[]):\n    seen.append(x)\n"
                "    return 2 * abs(x) + len(seen)"
            },
        ),
        Attack(
            "changes_its_argument",
            "",
            {
                "tensor": "def tensor(x):\n    return x.zero_()",
                "array": "def array(x):\n    x[:] = 0\n    return x",
            },
            earns=("tensor", "array"),
        ),
    ]


def at_the_test():
    """Attacks that a student's function makes while the test calls it, or that run beside it."""
    patch = (
        f"torch.allclose = torch.equal = np.allclose = {TRUE}\n"
        "    torch.testing.assert_close = np.testing.assert_allclose = lambda *a, **k: None\n"
    )
    back = (
        "judges = torch.allclose, torch.equal, torch.testing.assert_close\n"
        "def put_back(*a):\n"
        "    torch.allclose, torch.equal, torch.testing.assert_close = judges\n    return True\n"
    )
    return [
        Attack("patches_when_called", "", everywhere(f"{patch}    return abs(x)")),
        Attack(
            "patches_builtins_when_called",
            "import builtins",
            everywhere(f"builtins.abs = lambda x: 0\n    builtins.all = {TRUE}\n    return x"),
        ),
        Attack(
            "patches_inside_when_called",
            "",
            everywhere(f"torch.testing.assert_close.__code__ = ({TRUE}).__code__\n    return x")
            | {
                "helped": f"def helped(x):\n    is_close.__code__ = ({TRUE}).__code__\n    return x"
            },
        ),
        Attack(
            "hides_methods_when_called",
            "",
            everywhere(
                f"torch.Tensor.all = torch.Tensor.item = {TRUE}\n"
                f"    torch.testing._comparison.isinstance = {TRUE}\n    return x"
            ),
        ),
        Attack(
            "hides_and_takes_away",
            f"del torch.Tensor.__doc__\ntorch.Tensor.all = {TRUE}\n",
        ),
        Attack(
            "patches_names_when_called",
            YES,
            everywhere("globals().update(torch=Yes(), np=Yes(), is_close=Yes())\n    return x"),
        ),
        Attack(
            "hides_that_it_patched",
            back,
            {
                "tensor": "def tensor(x):\n    torch.allclose = lambda *a: True\n"
                "    torch.testing.assert_close = lambda *a: None\n"
                "    torch.equal = put_back\n    return x"
            },
            earns=("tensor",),
        ),
        Attack(
            "expected_value",
            "import sys",
            {
                "plain": "def plain(x):\n    sys._getframe(1).f_globals['x'] = 0\n    return 0",
                "partial": "def partial(x):\n"
                "    sys._getframe(1).f_globals['right'] = [1]\n    return 0",
            },
        ),
        Attack("thread", THREAD),
        Attack(
            "settrace_when_called",
            "import sys",
            everywhere("sys.settrace(lambda *a: None)\n    return abs(x)"),
        ),
        Attack("never_returns", "", {"plain": "def plain(x):\n    return 2 * plain(x)"}),
    ]


STOP = """\
import ast, gc, sys
def stop():
    frame = sys._getframe()
    while frame:
        if "to_run" in frame.f_locals:
            frame.f_locals["to_run"].clear()
        frame = frame.f_back
def stop_all():
    for found in gc.get_objects():
        if type(found) is list and found and type(found[-1]) is tuple:
            if isinstance(found[-1][0], ast.AST):
                found.clear()
def edit():
    for found in gc.get_objects():
        if isinstance(found, ast.Assert):
            found.test = ast.Constant(True)
def jump(frame, event, argument):
    if event == "line" and frame.f_code.co_name == "<module>":
        frame.f_lineno = max(line for *_, line in frame.f_code.co_lines() if line)
        sys.settrace(None)
    return jump
def leap():
    frame = sys._getframe(2)
    sys.settrace(jump)
    frame.f_trace = jump
"""
MODE = """\
from torch.overrides import TorchFunctionMode
kept = []
class Mode(TorchFunctionMode):
    def __torch_function__(self, f, types, args=(), kwargs=None):
        return torch.ones(5, dtype=bool) if f.__name__ in ("eq", "__eq__") else f(*args)
def enter():
    kept.append(Mode())
    kept[-1].__enter__()
"""


def run_of_the_test():
    """Attacks on the way in which a test is run, while it runs."""
    return [
        Attack("takes_statements_away", STOP, everywhere("stop()\n    return abs(x)")),
        Attack("takes_all_lists_away", STOP, everywhere("stop_all()\n    return abs(x)")),
        Attack("edits_the_assertions", STOP, everywhere("edit()\n    return abs(x)")),
        Attack("jumps_to_the_last_line", STOP, everywhere("leap()\n    return abs(x)")),
        Attack("classes_of_modules_when_called", LIE, everywhere("lie()\n    return abs(x)")),
        Attack(
            "functions_of_tensors",
            TENSOR + "\nkept = []",
            everywhere(
                "kept.append(torch._C._EnableTorchFunction())\n"
                "    return abs(x).as_subclass(Fake) if torch.is_tensor(x) else abs(x)"
            ),
        ),
        Attack("torch_mode_when_called", MODE, everywhere("enter()\n    return abs(x)")),
    ]


def reading():
    """Attacks that read the test while it runs, and answer from that; later cells find no text."""
    answer = (
        "import re\ndef solve(name, x):\n    source = SOURCE\n"
        "    if f'{name}(x)' in source and '2 * x' in source: return 2 * x\n"
        "    if f'{name}(-' in source: return 2 * x\n    return abs(x)\n"
    )

    def by(source):
        return answer.replace("SOURCE", source), {
            n: f"def {n}(x):\n    return solve('{n}', x)" for n in TESTS
        }

    cases = {
        "reads_the_history": "get_ipython().history_manager.input_hist_raw[-1]",
        "reads_in": "In[-1]",
        "reads_the_message": "get_ipython().kernel.get_parent('shell')['content']['code']",
        "reads_linecache": "''.join(line for entry in __import__('linecache').cache.values() "
        "for line in entry[2])",
    }
    found = [Attack(name, *by(source), earns=tuple(TESTS)) for name, source in cases.items()]
    found.append(
        Attack(
            "reads_the_file",
            "import pathlib\nfor p in pathlib.Path('..').glob('*.ipynb'): print(p)",
        )
    )
    return found


QUIET = """\
import ctypes
def quiet(owner, **new):
    number = ctypes.c_uint64.from_address(id(vars(owner)) + 24)
    before = number.value
    vars(owner).update(new)
    number.value = before
yes = lambda *a, **k: True
quiet(torch, allclose=yes, equal=yes)
quiet(torch.testing, assert_close=yes)
quiet(np, allclose=yes)
quiet(np.testing, assert_allclose=yes)
"""


def guards():
    """Attacks that are written against this grader: they look for what guards the tests."""
    most = ("plain", "tensor", "equal", "array", "partial", "helped")
    off = "guard.restore = guard.changed = lambda *a: ''\n"
    signed = "value='1.0', proof=prove(find('proof'), 'ok', '1.0')"
    forged = everywhere(f"forge('1.0', {signed})\n    raise ValueError(x)")
    sign = "from grading.proof import prove\n"
    watched = "guard = find('guard')\n    guard.changed = lambda code: ''\n    judge()\n"
    return [
        Attack("steals_the_proof", sign + FIND + FORGE, forged, earns=tuple(TESTS)),
        Attack(
            "class_of_the_guard",
            "from grading.guard import Guard as guard\n" + off + NO_GUARD,
            earns=most,
        ),
        Attack(
            "guard_of_the_collector",
            "import gc\n"
            "[guard] = [o for o in gc.get_objects() if o.__class__.__name__ == 'Guard']\n"
            + off
            + NO_GUARD,
            earns=most,
        ),
        Attack(
            "guard_in_a_frame", FIND + off.join(["guard = find('guard')\n", NO_GUARD]), earns=most
        ),
        Attack(
            "numbers_of_dictionaries",  # of which a guard knows what has changed
            QUIET,
            earns=("tensor", "array"),
        ),
        Attack(
            "says_that_it_ended",
            STOP,
            {
                "partial": "def partial(x):\n    stop()\n"
                "    [end] = [v for n, v in globals().items() if n.startswith('_end_')]\n"
                "    end()\n    return abs(x)"
            },
            earns=("partial",),
        ),
        Attack(
            "guard_at_the_test",
            FIND + NO_GUARD,
            everywhere(f"{watched}    return abs(x)"),
            earns=("tensor", "equal"),
        ),
    ]


def given():
    """Attacks on what the instructor's cells hold: the names of builtins, constants and data."""
    return [
        Attack("rewrites_certain_names", CERTAIN, everywhere("rewrite()\n    return abs(x)")),
        Attack("rewrites_certain_names_before", CERTAIN + "\nrewrite()"),
        Attack(
            "hides_that_it_rewrote",
            CERTAIN_BACK,
            everywhere("rewrite()\n    return 2 * x if x > 0 else abs(x)"),
            earns=("helped",),
        ),
        Attack("constant", "TOL = 1e9"),
        Attack(
            "constant_when_called",
            "",
            {"helped": "def helped(x):\n    global TOL\n    TOL = 1e9\n    return abs(x)"},
        ),
        # the test's author gives such data in capitals, or in the test itself
        Attack("lower_case_data", "test_set = []", earns=("helped",)),
    ]
