"""Connect to a Ray cluster, or start Ray on this machine for the duration of a study; quiet in either case."""

from __future__ import annotations

import importlib
import logging
import math
import os
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ...environment import cores
from ...errors import AblationError, first_line
from .events import environment_variables

_CONNECT_SECONDS = 10  # Ray itself tries for two minutes and then ends the process
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # otherwise deaths of workers, which are reported as events, are printed too
}
_HERE = "127.0.0.1"
_STORE_BYTES = 100 * 2**20  # only outcomes pass through it; Ray would reserve a third of the memory


@contextmanager
def connected(address: str | None, workers: int | None, cpus: float, gpus: float) -> Iterator[Any]:
    """Connect to Ray for the duration of this context.

    An existing connection of the program is used and left open. Otherwise the cluster at the address, or at RAY_ADDRESS, is
    joined, as Ray's own tools do. Without an address, an instance is started for this context.

    Args:
        address: HOST:PORT of the cluster, or "auto" for the one that this machine belongs to.
        workers: trials at a time that an instance started here must have room for.
        cpus, gpus: resources per trial.

    Yields:
        The module `ray`.

    Raises:
        AblationError: if Ray is not installed, the cluster cannot be joined, or no node is large enough for a trial.
    """
    with environment_variables({name: os.environ.get(name, value) for name, value in _QUIET.items()}):
        ray = _ray()
        if ray.is_initialized():
            if address:
                raise AblationError(
                    f"address {address!r} was given, but this program is already connected to Ray: "
                    "omit the address to use that connection, or call ray.shutdown() first"
                )
            _check_room(ray, cpus, gpus)
            yield ray
            return
        address = address or os.environ.get("RAY_ADDRESS") or None
        with nullcontext() if address else _private_instance(ray) as folder:
            try:
                _connect(ray, address, workers, cpus, folder)
                _check_room(ray, cpus, gpus)
                yield ray
            finally:
                ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise AblationError('the engine "ray" needs Ray: pip install "convnext-ablation[scale]"') from None
    return ray


@contextmanager
def _private_instance(ray: Any) -> Iterator[str]:
    """Have the instance that is started in this context listen on this machine alone, and only to those with its token.

    Whoever reaches the ports of Ray can run any program. Ray replaces the address 127.0.0.1 by one that other machines reach,
    except where it does not allow clusters, which is how it treats Windows and macOS.

    Yields:
        A folder that only this user can reach, for the files and sockets of the instance; deleted at the end.
    """
    from ray._private import ray_constants

    short = "/tmp" if os.name == "posix" else None  # the path of a socket may have no more than 103 characters
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before = ray_constants.ENABLE_RAY_CLUSTER
    try:
        with (
            environment_variables({**token, ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0"}),
            tempfile.TemporaryDirectory(dir=short, prefix="ablation-ray-", ignore_cleanup_errors=True) as private,
        ):
            ray_constants.ENABLE_RAY_CLUSTER = False
            _read_token_again()
            yield str(Path(private) / "r")  # Ray opens its own folder to all users
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        _read_token_again()


def _read_token_again() -> None:
    """Make Ray read the token and the mode from the environment again, which it keeps after the first time."""
    compiled: Any = importlib.import_module("ray._raylet")
    compiled.Config.initialize("")
    compiled.AuthenticationTokenLoader.instance().reset_cache()


def _connect(ray: Any, address: str | None, workers: int | None, cpus: float, folder: str | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        with _keep_sigterm_handler():
            if address:
                _check_address(address)
                ray.init(address, **options)
            else:
                asked = math.ceil(cpus * (workers or 0))
                ray.init(
                    "local",
                    num_cpus=max(cores(), asked),
                    include_dashboard=False,
                    object_store_memory=_STORE_BYTES,
                    _node_ip_address=_HERE,
                    _temp_dir=folder,
                    **options,
                )
                if ray.util.get_node_ip_address() != _HERE:
                    raise RuntimeError(
                        f"it listens on {ray.util.get_node_ip_address()}, which other machines can reach."
                    )
    except AblationError:
        raise
    except Exception as error:  # Ray raises many kinds of exceptions
        said = first_line(error)
        if not address:
            raise AblationError(
                f"Ray could not be started on this machine: {said} If the machine is too busy, start a cluster "
                "with `ray start --head` and give the address auto, or use the engine local"
            ) from error
        raise AblationError(
            f"cannot join the Ray cluster at {address}: {said}. This program must run on a machine of the cluster, "
            "with the same versions of Python and Ray"
        ) from error


def _check_address(address: str) -> None:
    """Fail fast on an unreachable address."""
    if address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise AblationError(
            f"address {address!r} is not possible. Possible: HOST:PORT of a Ray cluster that this machine belongs to, "
            'such as 10.0.0.1:6379, or "auto"'
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AblationError(
            f"no Ray cluster can be reached at {address}: {reason}. `ray start --head` starts one"
        ) from None


def _check_room(ray: Any, cpus: float, gpus: float) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        there = ", ".join(f"{node.get('CPU', 0):g} and {node.get('GPU', 0):g}" for node in nodes)
        raise AblationError(
            f"a trial needs {cpus:g} CPUs and {gpus:g} GPUs, but no node of the Ray cluster has that many. "
            f"Its nodes have (CPUs and GPUs): {there}"
        )


@contextmanager
def _keep_sigterm_handler() -> Iterator[None]:
    """Restore the program's handler for SIGTERM, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
