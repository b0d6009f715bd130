"""A JupyterLab of the test's own, with nobody's settings."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest


@contextmanager
def jupyterlab(folder: Path, home: Path, token: str = "") -> Iterator[str]:
    """Start JupyterLab in a folder, on a free port, and yield its address.

    Args:
        folder: what it shows.
        home: an empty folder, for its settings and its log.
        token: what its pages have to be asked with; nothing by default.
    """
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    env = {**os.environ, "HOME": str(home), **{name: str(home / name) for name in folders}}
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]
    address, log = f"http://127.0.0.1:{port}", home / "lab.log"
    with log.open("w") as file:
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=file, stderr=file)
        try:
            _wait_for(f"{address}/api", server, log)
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"no JupyterLab after a minute: {log.read_text()}")
