"""A program for torchrun that records what each process does, and helpers to compare it with a single process.

torchrun takes seconds to start, so one start runs several parts sequentially, as selected by the options. Each process
writes its own files into the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn

from ablation import Trial, build, convnext
from ablation import data as datasets
from ablation.data.in_memory import InMemory
from ablation.design.recipes import FAMILIES
from ablation.train import run as training
from ablation.train.eager_steps import EagerSteps

# The first gradient of this network is large, and SGD learns only if it is clipped. Many later gradients have a norm below 2, so
# that doubling the gradient changes the step.
RECIPE = FAMILIES["micro"].original.replace(epochs=3, batch_size=32, lr=0.02, lr_batch=32, clip_grad=2.0, shift_px=1)
NETWORK = convnext("atto").replace(width=8, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
TRIAL = Trial(NETWORK, RECIPE, "digits", seed=3)
SHORT = replace(TRIAL, recipe=RECIPE.replace(epochs=1))
FOR_THREE = replace(TRIAL, recipe=RECIPE.replace(batch_size=30))

Losses = tuple[list[float], list[float]]
Patch = pytest.MonkeyPatch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", action="store_true", help="train correctly and in two wrong variants")
    parser.add_argument("--evaluate", nargs="*", metavar="NAME", help="evaluate a network on data sets")
    parser.add_argument(
        "--stop", nargs=2, metavar=("WHO", "STEP"), help="train, and send SIGTERM to WHO after that step"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.train:
        train_variants(options.folder)
    if options.evaluate:
        evaluate_all(options.folder, options.evaluate)
    if options.stop:
        train_until(options.folder, options.stop[0], int(options.stop[1]))


def train_variants(folder: Path) -> None:
    """Train every variant and write the losses."""
    losses = {}
    for name, (trial, accumulate, variant) in VARIANTS.items():
        with variant():
            losses[name] = losses_of(trial, folder / name, accumulate)
    train_with_statistics(folder)
    (folder / f"losses-{os.environ['RANK']}.json").write_text(json.dumps(losses))


def train_with_statistics(folder: Path) -> None:
    """Train networks with batch norm, and write a digest of the tensors that this process evaluates."""
    digests, original = [], training.evaluate

    def record(network: nn.Module, *rest: object, **options: object) -> object:
        tensors = [tensor.cpu().numpy().tobytes() for tensor in network.state_dict().values()]
        digests.append(hashlib.sha256(b"".join(tensors)).hexdigest())
        return original(network, *rest, **options)

    with Patch.context() as patched:
        patched.setattr(training, "evaluate", record)
        for ema in (0.0, 0.5):
            trial = Trial(NETWORK.replace(norm="batch"), RECIPE.replace(epochs=1, ema=ema), "digits#320")
            training.run(trial, folder / "batch norm")
    (folder / f"evaluated-{os.environ['RANK']}.json").write_text(json.dumps(digests))


def losses_of(trial: Trial, folder: Path, accumulate: int = 1) -> Losses:
    """Return the loss of each step and the mean loss of each epoch."""
    steps: list[float] = []
    with on_each_step(lambda _, loss: steps.append(loss)):
        outcome = training.run(trial, folder, accumulate=accumulate)
    return steps, list(outcome.train_losses)


@contextmanager
def on_each_step(callback: Callable[[int, float], object]) -> Iterator[None]:
    """Call a function with the number and loss of each step of the training loop."""
    original = EagerSteps._take_step

    def step(self: EagerSteps, number: int, *batch: Tensor) -> float:
        loss = original(self, number, *batch)
        callback(number, loss)
        return loss

    with Patch.context() as patched:
        patched.setattr(EagerSteps, "_take_step", step)
        yield


@contextmanager
def same_images() -> Iterator[None]:
    """Wrong variant: every process uses the first share of the batch."""
    original = InMemory.train_batches

    def first_share(
        self: InMemory, recipe: object, seed: int, epoch: int, rank: int, *rest: int, **options: object
    ) -> object:
        return original(self, recipe, seed, epoch, 0, *rest, **options)

    with Patch.context() as patched:
        patched.setattr(InMemory, "train_batches", first_share)
        yield


@contextmanager
def summed_gradients() -> Iterator[None]:
    """Wrong variant: the gradients of the processes are summed instead of averaged."""
    original = Accelerator.backward
    with Patch.context() as patched:
        patched.setattr(Accelerator, "backward", lambda self, loss: original(self, loss * self.num_processes))
        yield


VARIANTS = {
    "whole": (TRIAL, 1, nullcontext),
    "in two parts": (SHORT, 2, nullcontext),
    "the same images": (SHORT, 1, same_images),
    "summed gradients": (SHORT, 1, summed_gradients),
}


def evaluate_all(folder: Path, names: list[str]) -> None:
    """Evaluate an untrained network on every data set and write the scores."""
    scores = [evaluate_untrained(name) for name in names]
    (folder / f"scores-{os.environ['RANK']}.json").write_text(json.dumps(scores))


def evaluate_untrained(name: str) -> tuple[float, float, int]:
    """Return accuracy, loss and number of images of an untrained network on a data set."""
    torch.manual_seed(7)
    data = datasets.load(name)
    network = build(NETWORK, data.info.num_classes, data.info.in_chans)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.normal_()  # otherwise all images would have almost the same loss
    return training.evaluate(_Float64(network), data, RECIPE.replace(size=32))


class _Float64(nn.Module):
    """A network that computes in float64; in float32 the last digits of the logits depend on the size of the batch."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.double()

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.double())


def make_images(folder: Path) -> str:
    """Write an image folder and return its name as a data set.

    It has 137 test images. They are larger than the recipe of `evaluate_untrained`, so they are streamed.
    """
    generator = np.random.default_rng(0)
    for class_folder, number, brightest in (
        ("train/a", 2, 100),
        ("train/b", 2, 200),
        ("val/a", 67, 100),
        ("val/b", 70, 200),
    ):
        (folder / class_folder).mkdir(parents=True)
        for i in range(number):
            pixels = generator.integers(0, brightest, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / class_folder / f"{i}.png")
    return f"imagefolder:{folder}"


def train_until(folder: Path, who: str, last: int) -> None:
    """Train a trial to its end, or until "process 1" or "torchrun" receives SIGTERM after step `last`."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    targets = {("process 1", 1): os.getpid(), ("torchrun", 0): os.getppid()}
    stop_requested, save, current = EagerSteps.stop_requested, training.save_weights, -1
    with (folder / f"steps-{rank}").open("a", buffering=1) as steps, Patch.context() as patched:

        def record(step: int, loss: float) -> None:
            nonlocal current
            current = step
            steps.write(json.dumps([step, loss]) + "\n")

        def send_signal(self: EagerSteps, stop: training.StopSignal) -> bool:
            if current == last and (who, rank) in targets:
                os.kill(targets[who, rank], signal.SIGTERM)
                _wait_for(stop)
            return stop_requested(self, stop)

        def record_save(network: object, file: Path) -> None:
            with (folder / f"saved-by-{rank}").open("a") as names:
                names.write(f"{file.name}\n")
            save(network, file)

        patched.setattr(EagerSteps, "stop_requested", send_signal)
        patched.setattr(training, "save_weights", record_save)
        with on_each_step(record):
            outcome = training.run(FOR_THREE if world == 3 else TRIAL, folder, checkpoint_seconds=1e6)
    (folder / f"epochs-{rank}.json").write_text(json.dumps(outcome.train_losses))


def _wait_for(stop: training.StopSignal) -> None:
    deadline = time.monotonic() + 300
    while not stop:
        if time.monotonic() > deadline:
            raise TimeoutError("the signal did not arrive")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
