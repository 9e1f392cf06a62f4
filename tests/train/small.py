"""A trial of a few seconds that uses every source of randomness; as a program, it kills runs with SIGKILL and resumes them.

The program forks, so that all runs need only one interpreter start. It prints a digest of outcome and weights for the
uninterrupted run and for each run that was killed and resumed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ablation import Trial, convnext
from ablation.design.recipes import FAMILIES

NETWORK = convnext("atto").replace(width=4, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
RECIPE = FAMILIES["micro"].modern.replace(epochs=2, shift_px=1, mixup=0.2, drop_path=0.2, ema=0.9, clip_grad=1.0)
TRIAL = Trial(NETWORK, RECIPE, "digits", seed=3)


def main(folder: str, mode: str, number: str, seed: str = "0") -> None:
    import torch

    from ablation.train import checkpoint
    from ablation.train import run as training

    torch.set_num_threads(1)

    def train(directory: Path) -> None:
        outcome = training.run(TRIAL, directory, checkpoint_seconds=0)
        record = {**dataclasses.asdict(outcome), "seconds": 0, "images_per_second": 0}
        (weights,) = (directory / "weights").glob("*.safetensors")
        digest = hashlib.sha256(json.dumps(record).encode() + weights.read_bytes()).hexdigest()
        (directory / "digest").write_text(digest)

    root = Path(folder)
    started = time.perf_counter()
    train(root / "uninterrupted")  # with one thread, so that forking is safe
    duration = time.perf_counter() - started
    print((root / "uninterrupted" / "digest").read_text())
    generator = random.Random(int(seed))
    for i in range(int(number)):
        directory = root / str(i)
        if mode == "moments":
            pid = _fork(train, directory)
            time.sleep(generator.uniform(0, duration))
            os.kill(pid, signal.SIGKILL)
        else:
            pid = _fork(lambda directory, part=i: (_kill_in_write(checkpoint, part), train(directory)), directory)
        _, status = os.waitpid(pid, 0)
        assert mode == "moments" or os.WTERMSIG(status) == signal.SIGKILL, "the process was not killed"
        _, status = os.waitpid(_fork(train, directory), 0)
        assert status == 0, "the resumed run failed"
        print((directory / "digest").read_text())


def _fork(work: Callable[[Path], object], directory: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work(directory)
        os._exit(0)
    finally:
        os._exit(1)


def _kill_in_write(checkpoint: object, part: int) -> None:
    """Make this process kill itself while it writes its tenth checkpoint.

    With `part` 0 to 3, it dies half-way through that file of the checkpoint; with 4, after the last file, before the rename.
    """
    write, flush, written = checkpoint._write, checkpoint._flush, []

    def die_in_write(file: Path, data: bytes) -> None:
        written.append(file)
        if len(written) == 9 * 4 + part + 1:
            file.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        write(file, data)

    def die_in_flush(folder: Path) -> None:
        if part == 4 and len(written) == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(folder)

    checkpoint._write, checkpoint._flush = die_in_write, die_in_flush


if __name__ == "__main__":
    main(*sys.argv[1:])
