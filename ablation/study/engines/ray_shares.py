"""The CPUs and GPUs of a trial on a Ray cluster, which may be shares of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...design.trial import Trial
from ...errors import AblationError
from .sharing import free_gpu_bytes, trials_per_gpu

_LEAST_SHARE = 0.01  # of a GPU, for the task that reads its free memory beside other work


def check_shares(cpus: float = 1.0, gpus: float | None = None, **others: Any) -> None:
    """Refuse CPU and GPU shares that no cluster can provide.

    Raises:
        AblationError: if cpus is not positive, or gpus is above 1 and not a whole number: Ray does not share several GPUs.
    """
    if not 0 < cpus < math.inf:
        raise AblationError(f"cpus {cpus!r} must be more than 0")
    if gpus is not None and (not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus))):
        raise AblationError(f"gpus {gpus!r} must be a share from 0 to 1, or a whole number")


def gpu_share(trials: int) -> float:
    """Return the share of a GPU with which a number of trials fit on it; Ray counts in units of 0.0001.

    >>> gpu_share(1), gpu_share(4), gpu_share(7)
    (1.0, 0.25, 0.1428)
    """
    return math.floor(10_000 / trials) / 10_000


def default_gpus(ray: Any, trials: Sequence[Trial], workers: int | None, cpus: float) -> float:
    """Return the GPUs per trial on this cluster; 0 if no node has a GPU and the CPUs of a trial."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [node for node in nodes if node.get("GPU", 0) >= 1 and node.get("CPU", 0) >= cpus]
    if not nodes:
        return 0.0
    if workers:
        return gpu_share(max(1, math.ceil(workers / sum(node["GPU"] for node in nodes))))
    at_a_time = min(int(node["CPU"] / cpus / node["GPU"]) for node in nodes)
    if at_a_time <= 1 or len(trials) <= 1:
        return 1.0
    free = ray.remote(num_cpus=0, num_gpus=_LEAST_SHARE, max_retries=0)(free_gpu_bytes)
    try:
        gpu_bytes = ray.get(free.remote())
    except ray.exceptions.RayError:  # its torch does not see the GPU, or the node is lost: the trials will tell
        return 1.0
    return gpu_share(trials_per_gpu(trials, gpu_bytes, at_a_time))
