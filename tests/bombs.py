"""Cells that take all they can get of time, memory, processes, disk and output; and the limits."""

LIMITS = """
c.ExecuteSubmission.timeout = 10
c.ExecuteSubmission.iopub_timeout = 3
c.ExecuteSubmission.time_limit = 24
c.ExecuteSubmission.output_limit = 2
c.SandboxProvisioner.memory = 900
c.SandboxProvisioner.processes = 60
c.SandboxProvisioner.disk = 16
c.SandboxProvisioner.cpu_time = 4
c.SandboxProvisioner.file_size = 8
"""
DODGES = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass"
HALVE = "\n\ndef halve(x):\n    return x / FACTOR"
PUBLISH = """\
kernel = get_ipython().kernel
def publish(kind, content, **more):
    kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent(), **more)
"""
ONE_MESSAGE = f"""{PUBLISH}
session, parent = kernel.session, kernel.get_parent()
message = session.msg("stream", {{}}, parent=parent)
parts = [session.pack(message[part]) for part in ("header", "parent_header", "metadata")]
parts.append(b'{{"name": "stdout", "text": "' + b"x" * 300_000_000 + b'"}}')
kernel.iopub_socket.send_multipart([b"", b"<IDS|MSG>", session.sign(parts), *parts], copy=False)
"""
STUBBORN = """\
import time
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass"""
OUTPUT = "the cell halve brought it to more than 2 MB of output"
MEMORY = "the cell halve needed more memory than there is"
LATE = "the cell halve was still running after 10 s"
# where the machine is busy, the time limit comes before that of the processor
BUSY = rf"{LATE}|the cell halve used up the time of the processor"
DIED = "the kernel died in the cell halve"

# name: (what the cell halve holds, its status, the words on it)
ENDLESS = {
    "loop": ("while True:\n    pass", "timed out", BUSY),
    "stubborn": (STUBBORN, "timed out", f"{LATE} and did not let itself stop"),
    "sleep": ("import time\ntime.sleep(10**6)", "timed out", LATE),
    "regex": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", "timed out", BUSY),
    "deadlock": (
        "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
        "timed out",
        LATE,
    ),
    "fifo": ("import os\nos.mkfifo('/tmp/f')\nopen('/tmp/f')", "timed out", LATE),
    "stops_itself": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timed out", LATE),
    "tail": ("!tail -f /dev/null", "timed out", LATE),
}
MEMORIES = {
    "list": ("x = [0] * 10**6\nwhile True:\n    x += x", "out of memory", MEMORY),
    "torch": ("import torch\nx = torch.ones(2**29)", "out of memory", MEMORY),
    "numpy": (
        "import numpy as np\nx = [np.ones(2**17) for _ in range(2000)]",
        "out of memory",
        MEMORY,
    ),
    "integer": ("x = 10 ** (10 ** 8)", "timed out", BUSY),
    "300_megabytes_printed": ("print('x' * 300_000_000)", "out of memory", MEMORY),
    "giant_repr": ("x = 'x' * 3 * 10**8\nprint([x, x, x])", "out of memory", MEMORY),
    "processes": (
        "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        x = b'x' * 2**28\n"
        "        os._exit(len(x) and 0)\nfor _ in range(4): os.wait()\n"
        "x = [bytes(2**20) + b'x' for _ in range(2000)]",
        "out of memory",
        MEMORY,
    ),
}
CRASHES = {
    "abort": ("import os\nos.abort()", "crashed", DIED),
    "segfault": ("import ctypes\nctypes.string_at(0)", "crashed", DIED),
    "kills_itself": ("import os\nos.kill(os.getpid(), 9)", "crashed", DIED),
    "kills_its_parent": ("import os\nos.kill(os.getppid(), 9)", "crashed", DIED),
    "exits": ("import os\nos._exit(0)", "crashed", DIED),
    "stack": (
        "import ctypes, sys, threading\nsys.setrecursionlimit(10**9)\ndef f(): sorted([0], "
        "key=lambda _: f())\nf()",
        "crashed",
        DIED,
    ),
}
SURVIVED = {
    "recursion": ("def f():\n    f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "threads": (
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(9,), "
        "daemon=True).start()",
        "can't start new thread",
    ),
    "forks": (
        "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(30)",
        "BlockingIOError",
    ),
    "disk": (
        "for n in range(100):\n    open(f'/tmp/{n}', 'wb').write(bytes(2**20))",
        "No space left",
    ),
    "long_file": ("open('long', 'wb').write(bytes(2**24))", "File too large"),
    "input": ("input('more?')", "input() waits for a person, and none is there"),
    "debugger": ("breakpoint()", ""),
    "pdb": ("import pdb\npdb.set_trace()", "StdinNotImplementedError"),
    "debug_magic": (
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()\n%debug",
        "",
    ),
    "lines": ("while True:\n    print('x' * 1000)", OUTPUT),
    "one_long_line": ("print('x' * 3 * 10**6)", OUTPUT),
    "stderr": ("import sys\nwhile True:\n    print('x' * 1000, file=sys.stderr)", OUTPUT),
    "figures": (
        "import matplotlib.pyplot as plt, numpy as np\nfor _ in range(100):\n"
        "    plt.imshow(np.random.rand(400, 400))\n    plt.show()",
        OUTPUT,
    ),
    "tiny_outputs": (
        f"{PUBLISH}for n in range(200_000):\n"
        "    publish('stream', {'name': 'stdout', 'text': 'x'})",
        OUTPUT,
    ),
    "clear_output": (
        "from IPython.display import clear_output\nwhile True:\n    clear_output()",
        OUTPUT,
    ),
    "updates": (
        "from IPython.display import display\nhandle = display('a', display_id=True)\n"
        "while True:\n    handle.update('b')",
        OUTPUT,
    ),
    "widgets": (
        f"{PUBLISH}while True:\n    publish('comm_open', {{'comm_id': 'a', 'target_name': "
        "'jupyter.widget', 'data': {'state': {}}})",
        OUTPUT,
    ),
    "unknown": (f"{PUBLISH}while True:\n    publish('unknown', {{'x': 'x' * 10000}})", OUTPUT),
    "buffers": (f"{PUBLISH}publish('comm_msg', {{}}, buffers=[bytes(10**7)])", OUTPUT),
    "traceback": ("raise ValueError('x' * 10**6 + '\\n' * 100)", "ValueError"),
}
# each fills the memory of the process that grades, most by one message that is never whole
FULL = "the cell halve filled 200 MB of the grader's memory with output"
WAIT = "\nimport time\ntime.sleep(60)"
PARTS = """\
from ipykernel.kernelapp import IPKernelApp
app, big = IPKernelApp.instance(), [bytes(50_000_000)] * 80
client = app.kernel.get_parent()["header"]["session"].encode()
"""
RAW = """\
import os, threading
def flood(number):
    try:
        os.set_blocking(number, True)
        while True:
            os.write(number, PARTS * 2000)
    except OSError:
        pass  # no socket, or one that listens
for number in range(9, 60):
    if os.path.exists(f"/proc/self/fd/{number}"):
        if os.readlink(f"/proc/self/fd/{number}").startswith("socket"):
            threading.Thread(target=flood, args=(number,), daemon=True).start()
"""
FLOODS = {
    "300_megabytes": ONE_MESSAGE,
    "parts_on_iopub": f"{PARTS}app.iopub_socket.send_multipart([b'', *big], copy=False)",
    "parts_on_shell": f"{PARTS}app.shell_socket.send_multipart([client, *big], copy=False)",
    "parts_on_control": f"{PARTS}app.control_socket.send_multipart([client, *big], copy=False)",
    "parts_on_stdin": f"{PARTS}app.stdin_socket.send_multipart([client, *big], copy=False)",
    # as they are on the wire: a flag that says that more follow, and a length
    "empty_parts": RAW.replace("PARTS", r"b'\x01\x00'"),
    "small_parts": RAW.replace("PARTS", r"(b'\x01\x64' + bytes(100))"),
}
HARMLESS = {
    "file_descriptor": "import os\nfor fd in (1, 2):\n    os.write(fd, b'x' * 10**5)" + HALVE,
    "left_behind": "import subprocess\nfor _ in range(5):\n    subprocess.Popen(['sleep', '987'], "
    "start_new_session=True)" + HALVE,
    "at_exit": "import atexit, threading, time\natexit.register(time.sleep, 999)\n"
    "threading.Thread(target=time.sleep, args=(999,)).start()" + HALVE,
    "carriage_returns": "print('\\r'.join(map(str, range(10**5))))\nprint('\\b' * 10**5)" + HALVE,
}
MESSAGES = [
    "('stream', {'name': 3, 'text': []})",
    "('stream', {})",
    "('display_data', {'data': 3})",
    "('display_data', {'data': {'text/plain': {'a': 1}, 'x': 1}, 'metadata': []})",
    "('display_data', {'data': {'image/png': 'AA'}, 'metadata': {'image/png': {'width': {}}}})",
    "('display_data', {'data': {'text/plain': 'a'}, 'transient': {'display_id': [1]}})",
    "('update_display_data', {'data': {'text/plain': 'a'}, 'transient': 'x'})",
    "('execute_result', {'execution_count': 'many', 'data': {}, 'metadata': {}})",
    "('execute_input', {'execution_count': 'many', 'code': 3})",
    "('clear_output', {'wait': 'yes'})",
    "('comm_open', {})",
    "('comm_msg', {'comm_id': 3})",
    "('status', {})",
    "('error', {'ename': 3, 'evalue': [], 'traceback': 'text'})",
    "('error', {'ename': 'E' * 10**6, 'evalue': 'x', 'traceback': ['y' * 10**5] * 10 + [3]})",
    "('nonsense', {'a': 1})",
]
FORGED = PUBLISH + "".join(f"publish{message}\n" for message in MESSAGES)
FORGED += """\
send = kernel.iopub_socket.send_multipart
half = [b'{}', b'{}', b'{}', b'{"text": "\\\\ud800"}']
for parts in ([], [b'x'], [b'<IDS|MSG>'], [b'a', b'<IDS|MSG>', b'', b'[]', b'{}', b'{}', b'{}']):
    send(parts)
deep = [b'[' * 10**5] * 4
send([b'a', b'<IDS|MSG>', kernel.session.sign(deep), *deep])
"""


def answers():
    """What the cell halve holds in each submission."""
    found = {
        name: case[0]
        for cases in (ENDLESS, MEMORIES, CRASHES, SURVIVED)
        for name, case in cases.items()
    }
    return found | HARMLESS | {"forged": FORGED + HALVE}
