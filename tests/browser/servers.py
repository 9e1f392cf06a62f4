"""Servers for the browser's tests: each on a free port, without anybody's settings, ended with all its children."""

from __future__ import annotations

import os
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

SETTINGS = ("JUPYTER", "IPYTHON", "VOILA", "ABLATION_", "COV_", "COVERAGE_", "PYTEST_")  # of others: not for a server
START_SECONDS, END_SECONDS = 300, 15


class Serve(Protocol):
    """The fixture `serve`: `serving` without `home` and without the `with`."""

    def __call__(
        self,
        command: list[str],
        *,
        path: str = "/",
        folder: Path | None = None,
        variables: dict[str, str] | None = None,
    ) -> str: ...


@contextmanager
def serving(
    command: list[str],
    home: Path,
    path: str = "/",
    folder: Path | None = None,
    variables: dict[str, str] | None = None,
) -> Iterator[str]:
    """Start a server, wait until it answers, give its address `http://127.0.0.1:PORT`, and end it with its children.

    Args:
        command: program and arguments; `{port}` in them stands for a free port.
        home: an empty folder for the log and for what Jupyter keeps between runs.
        path: what to ask for to see whether the server is up.
        folder: where it runs; `home` if not given.
        variables: what to add to the environment, which is that of the tests without settings of Jupyter, coverage or
            this project.
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
            wait_until_it_answers(process, f"http://127.0.0.1:{port}{path}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            end_with_children(process)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def clean_environment(folder: Path) -> dict[str, str]:
    """The environment without anybody's settings; what Jupyter keeps between runs goes below `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter" / "config"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter" / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "jupyter" / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "jupyter" / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "jupyter" / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
    }


def wait_until_it_answers(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Return at the first answer below 400; fail with the server's own words if it ends or stays silent."""
    answer: object = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=20):
                return
        except urllib.error.HTTPError as error:
            error.close()
            answer = error
        except OSError as error:
            answer = error
        time.sleep(0.1)
    pytest.fail(f"no answer from {address} ({answer}), exit status {process.poll()}:\n{log.read_text()[-3000:]}")


def end_with_children(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then end whatever is left: kernels live in sessions of their own."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(family, timeout=1)
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=END_SECONDS)
