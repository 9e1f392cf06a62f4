"""How many trials run at the same time on this machine, and on each of its GPUs.

A training step of a small network is bound by the launches of its kernels, for which its process needs one core, and leaves
most of a GPU idle; a step of a large one is bound by arithmetic, and processes that share a GPU only wait for each other. A
step launches a few hundred kernels, which takes about 10 ms; a large GPU completes about 1e12 multiply-accumulates in that
time (an H100: 5e14 a second at its peak in bf16, of which training reaches a fifth). Processes are therefore added until
their steps together reach that number, within the cores, the memory, and a limit of eight. These bounds are computed, not
measured: `workers` overrides them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ... import data as datasets
from ...design.trial import Trial
from ...environment import cores
from ...errors import AblationError
from ...train.devices import choose_device
from ...train.step_cost import step_macs, training_bytes

MOST_PER_GPU = 8
GPU_MACS = 10**12  # multiply-accumulates per step, of all processes of a GPU together
CONTEXT_BYTES = 600_000_000  # of a process on a GPU, before it has a network: the CUDA context and the kernels
_USED = 0.9  # share of the free memory; the rest is for the kernels' scratch space and for fragmentation


@dataclass(frozen=True)
class Machine:
    """What trials can run on.

    Args:
        device: "cuda", "mps" or "cpu".
        cores: processor cores that this process may use.
        gpus: GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.
    """

    device: str
    cores: int
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Places:
    """Where the trials of a study run.

    Args:
        device: "cuda", "mps" or "cpu".
        at_a_time: trials that run at the same time.
        threads: threads of each.
        gpus: the GPUs, as CUDA_VISIBLE_DEVICES names them; worker i uses number i modulo their count.
    """

    device: str
    at_a_time: int
    threads: int
    gpus: tuple[str, ...] = ()

    @property
    def per_device(self) -> int:
        """Trials that run at the same time on one GPU, or on this machine if it has none."""
        return -(-self.at_a_time // max(1, len(self.gpus)))

    def __str__(self) -> str:
        trials = "1 trial" if self.at_a_time == 1 else f"{self.at_a_time} trials"
        if not self.gpus:
            return f"{trials} at a time"
        used = min(len(self.gpus), self.at_a_time)
        return f"{trials} at a time on {used} GPU{'s' * (used > 1)}"


def this_machine(device: str = "auto") -> Machine:
    """Return what trials can use on this machine.

    Args:
        device: "auto" for GPUs where there are any, or "cpu", "cuda" or "mps".

    Raises:
        AblationError: if there is no such device.
    """
    kind = choose_device(device).type
    if kind != "cuda":
        return Machine(kind, cores())
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = named.split(",")[:count] if named else map(str, range(count))
    return Machine(kind, cores(), tuple(gpus))


def free_gpu_bytes() -> int:
    """Return the free memory in bytes of the GPU that has the least."""
    import torch

    from ...measure.memory import free_bytes

    return min(free_bytes(torch.device("cuda", i)) for i in range(torch.cuda.device_count()))


def trials_per_gpu(trials: Collection[Trial], gpu_bytes: int, gpu_cores: int) -> int:
    """Return how many of some trials should run at the same time on one GPU: 1 to `MOST_PER_GPU`.

    Args:
        trials: the trials; the largest decides. Where the size of a model of timm cannot be told, the result is 1.
        gpu_bytes: free memory of the GPU.
        gpu_cores: cores of the machine per GPU.
    """
    kinds = {(trial.architecture, trial.recipe, trial.data): trial for trial in trials}
    macs, needed = 1, 1
    for trial in kinds.values():
        try:
            info = datasets.info(trial.data)
            step, memory = step_macs(trial, info), training_bytes(trial, info)
        except AblationError:  # an invalid trial, which its run reports
            continue
        if step is None or memory is None:
            return 1
        macs, needed = max(macs, step), max(needed, memory)
    fitting = int(_USED * gpu_bytes) // (needed + CONTEXT_BYTES)
    return max(1, min(MOST_PER_GPU, gpu_cores, fitting, GPU_MACS // macs))


def place(
    trials: Collection[Trial], workers: int | None = None, run_options: Mapping[str, Any] | None = None
) -> Places:
    """Return where trials run on this machine.

    Args:
        trials: the trials.
        workers: trials at a time. By default, as many per GPU as `trials_per_gpu` tells; one on MPS, which is not meant to be
            shared; without a GPU, one per core.
        run_options: options of `run`, of which the device decides.

    Raises:
        AblationError: if this machine does not have the device.
    """
    machine = this_machine((run_options or {}).get("device", "auto"))
    if workers is None and machine.gpus:
        gpu_cores = machine.cores // len(machine.gpus)
        # Asked only where it decides: it opens a context on each GPU in this process.
        share = trials_per_gpu(trials, free_gpu_bytes(), gpu_cores) if gpu_cores > 1 and len(trials) > 1 else 1
        workers = share * len(machine.gpus)
    at_a_time = max(1, min(workers or (1 if machine.device == "mps" else machine.cores), len(trials)))
    threads = 1 if machine.device == "cpu" else max(1, machine.cores // at_a_time)
    return Places(machine.device, at_a_time, threads, machine.gpus)
