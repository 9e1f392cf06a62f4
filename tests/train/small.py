"""A trial of seconds that draws at random wherever a trial can; and, run as a program, what becomes of it under kill -9.

The program forks, so that twenty runs cost one start. It prints a digest of outcome and weights
for the undisturbed run and for each killed and resumed one.
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
RECIPE = FAMILIES["micro"].modern.replace(epochs=2, mixup=0.2, drop_path=0.2, ema=0.9, clip_grad=1.0)
TRIAL = Trial(NETWORK, RECIPE, "digits", seed=3)


def main(folder: str, what: str, number: str, seed: str = "0") -> None:
    import torch

    from ablation.train import checkpoint
    from ablation.train import run as training

    torch.set_num_threads(1)

    def train(place: Path) -> None:
        outcome = training.run(TRIAL, place, checkpoint_seconds=0)
        said = {**dataclasses.asdict(outcome), "seconds": 0, "images_per_second": 0}
        (weights,) = place.glob("*.safetensors")
        (place / "digest").write_text(hashlib.sha256(json.dumps(said).encode() + weights.read_bytes()).hexdigest())

    root = Path(folder)
    began = time.perf_counter()
    train(root / "undisturbed")  # one thread: nothing that a fork would lose
    whole = time.perf_counter() - began
    print((root / "undisturbed" / "digest").read_text())
    draw = random.Random(int(seed))
    for i in range(int(number)):
        place = root / str(i)
        if what == "moments":
            pid = _forked(train, place)
            time.sleep(draw.uniform(0, whole))
            os.kill(pid, signal.SIGKILL)
        else:
            pid = _forked(lambda place, part=i: (_kill_in_write(checkpoint, part), train(place)), place)
        _, status = os.waitpid(pid, 0)
        assert what == "moments" or os.WTERMSIG(status) == signal.SIGKILL, "it was to be killed"
        _, status = os.waitpid(_forked(train, place), 0)
        assert status == 0, "the resumed run failed"
        print((place / "digest").read_text())


def _forked(work: Callable[[Path], object], place: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        work(place)
        os._exit(0)
    finally:
        os._exit(1)


def _kill_in_write(checkpoint: object, part: int) -> None:
    """Die half-way through the file of that number of the tenth checkpoint; with none of that number, before the renaming."""
    write, flush, written = checkpoint._write, checkpoint._flush, []

    def dies(file: Path, data: bytes) -> None:
        written.append(file)
        if len(written) == 9 * 4 + part + 1:
            file.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        write(file, data)

    def dies_after(folder: Path) -> None:
        if part == 4 and len(written) == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(folder)

    checkpoint._write, checkpoint._flush = dies, dies_after


if __name__ == "__main__":
    main(*sys.argv[1:])
