"""Servers for the browser tests: each on a free port, without user settings, and stopped with all its child processes."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil
import pytest

# prefixes of environment variables that servers must not inherit
EXCLUDED_PREFIXES = (
    "JUPYTER",
    "IPYTHON",
    "VOILA",
    "ABLATION_",
    "COV_",
    "COVERAGE_",
    "PYTEST_",
)
START_TIMEOUT_S, STOP_TIMEOUT_S = 300, 15


class Serve(Protocol):
    """Type of the fixture `serve`: like `serving`, but without `home` and not as a context manager."""

    def __call__(
        self,
        command: list[str],
        *,
        path: str = "/",
        folder: Path | None = None,
        variables: dict[str, str] | None = None,
        printed: bool = False,
    ) -> str: ...


@contextmanager
def serving(
    command: list[str],
    home: Path,
    path: str = "/",
    folder: Path | None = None,
    variables: dict[str, str] | None = None,
    printed: bool = False,
) -> Iterator[str]:
    """Start a server, wait until it responds, yield its address `http://127.0.0.1:PORT`, and stop it with its children.

    Args:
        command: program and arguments; `{port}` is replaced with a free port.
        home: an empty folder for the log and for Jupyter's state.
        path: path to request to find out whether the server is up.
        folder: working directory; `home` if not given.
        variables: variables to add to the environment, which is that of the tests without settings of Jupyter, coverage
            or this project.
        printed: wait for the address that the server prints, which may have a path, and yield that.
    """
    port = free_port()
    log = home / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in command],
            cwd=folder or home,
            env=clean_environment(home) | (variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = printed_address(process, log) if printed else f"http://127.0.0.1:{port}"
            wait_until_ready(process, f"{address}{path}", log)
            yield address
        finally:
            stop_with_children(process)


def printed_address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the first address in the log, without the slash at its end; fail with the log if there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"(http://127\.0\.0\.1:\S*)/\s", log.read_text()):
            return found[1]
        time.sleep(0.1)
    pytest.fail(f"no address, exit status {process.poll()}:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def clean_environment(folder: Path) -> dict[str, str]:
    """Return the environment without user settings; Jupyter's state is stored in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(EXCLUDED_PREFIXES)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "jupyter" / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "jupyter" / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "jupyter" / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def wait_until_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Return at the first response with a status below 400; fail with the log if the server exits or does not respond."""
    last_error: object = None
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=20):
                return
        except urllib.error.HTTPError as error:
            error.close()
            last_error = error
        except OSError as error:
            last_error = error
        time.sleep(0.1)
    pytest.fail(f"no response from {address} ({last_error}), exit status {process.poll()}:\n{log.read_text()[-3000:]}")


def stop_with_children(process: subprocess.Popen[bytes]) -> None:
    """Terminate the server, then kill remaining child processes: kernels run in separate sessions."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=1)
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S)
