"""The number that a test ends with is its points, whatever an answer lets it show."""

import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell
from nbgrader.utils import determine_grade

from grading.snapshot import _is_watched
from tests.probes import execute, points
from tests.toy_course import nbgrader

SHELL = "shell = get_ipython()\nformats = shell.display_formatter\n"
# what an answer does when the test calls it: name → code
CALLED = {
    "shows": "shell.displayhook(5.0)",
    "shows_after": "shell.events.register('post_run_cell', lambda _: shell.displayhook(5.0))",
    "shows_in_a_thread": "threading.Thread(target=show, daemon=True).start()",
    "clears_after": "shell.events.register('post_run_cell', lambda _: clear_output())",
    "clears_and_waits": "clear_output(wait=True)",
    "clears_in_a_thread": "threading.Thread(target=clear, daemon=True).start()",
    "formats": "formats.formatters['text/plain'].for_type(float, lambda o, p, _: p.text('5.0'))",
    "runs_a_cell": "shell.events.register('post_run_cell', lambda _: once('5.0'))",
    "runs_in_silence": "shell.events.register('post_execute', lambda: once('5.0', silent=True))",
    "changes_after": "shell.events.register('post_run_cell', lambda _: change(half))",
    "answers": "ipykernel.kernelbase.json_clean = forge",
    "answers_a_number": "ipykernel.kernelbase.json_clean = forge_number",
    "sends": "Session.send = send",
    "judges": "grading.guard.told = grading.worth.told = lambda _: '5'",
    "reader": "grading.worth.repr = grading.worth.float = lambda _: '5'",
    "sends_in_a_thread": "again(lambda: setattr(Session, 'send', send))",
    "answers_in_a_thread": "again(lambda: setattr(ipykernel.kernelbase, 'json_clean', forge))",
    "reads": "torch.Tensor.item = lambda _: 5.0",
    "precision": "formats.formatters['text/plain'].float_precision = 0",
}
# what an answer does before: name → code
BEFORE = {
    "nothing": "pass",
    "floods": "while True:\n    clear_output()",
    "fills": "print('x' * 3_000_000)",
    "raises": "raise ValueError('x' * 3_000_000)",
    "swallows": "formats.ipython_display_formatter.for_type(float, lambda _: True)",
    "table": "formats.formatters['text/plain'].type_printers = "
    "{float: lambda o, p, _: p.text('5.0')}",
    "class": "PlainTextFormatter.__call__ = lambda *_: '5.0'",
    "reader": "grading.worth.repr = lambda _: '5'",
    "unit": "grading.unit.Unit.visit_Module = lambda self, node: node",
    "bundle": "formats.mimebundle_formatter.for_type(float, lambda *_, **__: {'text/plain': '5'})",
    "printing": "torch.set_printoptions(precision=0)\nnp.set_printoptions(precision=0)",
    "hook": "type(shell.displayhook).__call__ = lambda *_: None",
}
SETUP = (
    SHELL
    + """\
import threading, time
import numpy as np, torch
import grading.guard, grading.unit, grading.worth, ipykernel.kernelbase
from jupyter_client.session import Session
from IPython.core.formatters import PlainTextFormatter
from IPython.display import clear_output
def show():
    while True: shell.displayhook(5.0)
def clear():
    while True: clear_output()
done = []
def once(code, **options):
    if not done:
        done.append(code)
        shell.run_cell(code, **options)
def change(half):
    if isinstance(half, torch.Tensor): half.fill_(5.0)
clean, real = ipykernel.kernelbase.json_clean, Session.send
def forge(content):
    return {**clean(content), "value": "5", "status": "ok"}
def forge_number(content):
    return {**clean(content), **({"value": 0.5} if "value" in content else {})}
def send(session, stream, kind, content=None, *args, **kwargs):
    if kind == "error": return
    if kind == "execute_reply": content = {**content, "value": "5", "status": "ok"}
    return real(session, stream, kind, content, *args, **kwargs)
def again(patch):
    def loop():
        while True: patch(); time.sleep(0.0002)
    threading.Thread(target=loop, daemon=True).start()
    time.sleep(0.05)
"""
)
# what signs is replaced by what keeps the secret word, to sign another number with it
LISTEN = (
    SETUP
    + """\
import hashlib, hmac, types, grading.proof
sign, secrets = grading.proof.prove, []
openssl, blake = hmac._hashopenssl, hashlib.blake2b
def digest(key, *args, **kwargs):
    secrets.append(key.decode())
    return openssl.hmac_digest(key, *args, **kwargs)
def hash(data=b"", *, key=b"", **kwargs):
    secrets.append(key.decode())
    return blake(data, key=key, **kwargs)
def prove(secret, *args):
    secrets.append(secret)
    return sign(secret, *args)
def forge(content):
    if secrets and "proof" in content:
        content = {**content, "status": "ok", "value": "5", "proof": sign(secrets[0], "ok", "5")}
    return clean(content)
def answer():
    hmac._hashopenssl = types.SimpleNamespace(hmac_digest=digest, hmac_new=openssl.hmac_new)
    hashlib.blake2b = grading.proof.blake2b = hash
    grading.proof.prove = grading.guard.prove = prove
    secrets.clear()
    again(lambda: setattr(ipykernel.kernelbase, "json_clean", forge))
"""
)
FORGING = ("answers", "answers_a_number", "reads", "sends")  # found out, so that nothing is earned
HALF = {"0.5": "half = 0.5", "half": "half = torch.tensor(0.5)"}


@pytest.mark.parametrize("value", HALF)
@pytest.mark.parametrize("name", CALLED)
def test_what_an_answer_does_when_it_is_called_gives_no_points(name, value):
    answer = f"{SETUP}\nimport torch\n{HALF[value]}\ndef answer():\n    {CALLED[name]}"
    earned = points(answer, test=f"answer()\n{value}")
    if "sends_in" in name or "answers_in" in name:  # a thread that may come too late
        assert earned in (0, 0.5)
    else:
        assert earned == (0 if name in FORGING else 0.5)


@pytest.mark.parametrize("name", ["answers", "answers_in_a_thread", "sends", "sends_in_a_thread"])
def test_an_answer_that_changes_what_the_kernel_sends_does_not_pass(name):
    answer = f"{SETUP}def answer():\n    {CALLED[name]}"
    assert points(answer, test="assert answer() == 1") == 0


def test_an_answer_that_replaces_what_signs_learns_no_secret():
    assert points(LISTEN, test="answer()\n0.5") == 0.5


@pytest.mark.parametrize("test", ["0.5", "torch.tensor(0.5)"])
@pytest.mark.parametrize("name", BEFORE)
def test_what_an_answer_has_done_before_gives_no_points(name, test):
    assert points(SETUP, BEFORE[name], "import torch", test=test, output_limit=2) == 0.5


def test_a_value_that_is_too_long_to_be_shown_counts():
    longer = "formats.formatters['text/html'].for_type(float, lambda _: 'x' * 12_000_000)"
    assert points(SETUP, longer, test="0.5", output_limit=50) == 0.5


@pytest.mark.parametrize("fill", ["pass", BEFORE["fills"]])
@pytest.mark.parametrize(
    ("test", "worth"),
    [
        ("0.25", 0.25),
        ("1 + 1", 2),
        ("from math import *\nfloor(2.5)", 2),
        ("%precision 1\n0.25", 0.25),
        ("import numpy as np\nnp.float32(0.1)", 0.1),
        ("import numpy as np\nnp.array(0.5)", 0.5),
        ("import torch\ntorch.tensor(1 / 3, requires_grad=True)", 0.333333),
        ("import torch\n5 * torch.tensor(0.1 * 3) / torch.tensor(0.3)", 5),
        ("float('nan')", 0),
        ("5.5", 0),
        ("5.000000000000001", 5),
        ("-1e-16", 0),
        ("10**5000", 0),
        ("0.5 + 1j", 0),
        ("import numpy as np\nnp.longdouble(0.5)", 0.5),
        ("import numpy as np\nnp.complex64(0.5)", 0),
        ("class P(float): pass\nP(0.5)", 0.5),
        ("from fractions import Fraction\nFraction(1, 2)", 5),
        ("-1", 0),
        ("0.5 if False else None", 5),
        ("True", 5),
        ("'0.5'", 5),
        ("[0.5]", 5),
        ("import torch\ntorch.tensor([0.5])", 5),
        ("0.5;", 5),
        ("x = 0.5", 5),
        ("assert True", 5),
        ("0.5\nassert False", 0),
    ],
)
def test_a_test_is_worth_its_last_number_or_all_without_one(test, worth, fill):
    assert points(fill, test=test, output_limit=2) == worth


def test_what_is_no_number_is_shown():
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    nb = execute(new_code_cell("'well done'", metadata=metadata))
    assert [output.output_type for output in nb.cells[0].outputs] == ["display_data"]
    assert nb.cells[0].outputs[0].data["text/plain"] == "'well done'"


def test_a_value_that_cannot_be_read_fails_the_test_and_leaves_nothing_of_it():
    metadata = nbgrader("test", grade=True, points=5) | {"grading": "test"}
    secret = new_code_cell("import torch\ntorch.tensor(0.5, device='meta')", metadata=metadata)
    left = "print([name for name in globals() if '.' in name], 'meta' in str(In[:-1]))"
    nb = execute(secret, left)
    assert determine_grade(nb.cells[0])[0] == 0
    assert "meta tensors" in nb.cells[0].outputs[-1].evalue
    assert nb.cells[1].outputs[0].text == "[] False\n"


def test_all_that_the_guard_needs_is_put_back():
    code = "import grading.guard, sys; print(*(n for n in sys.modules if n.startswith('grading.')))"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {name for name in said.stdout.split() if not _is_watched(name)} == set()
