"""What processes that train together do, written down: a program for torchrun, and what a test compares it with.

torchrun takes seconds to start, so one start does several things one after the other; those that are not asked for are
left out. Each process writes files of its own into the folder.
"""

from __future__ import annotations

import argparse
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

# The first gradient of such a network is long, and SGD learns only where it is clipped. Many of the later ones are shorter
# than 2, so that a gradient of twice the length is another step.
RECIPE = FAMILIES["micro"].original.replace(epochs=3, batch_size=32, lr=0.02, lr_batch=32, clip_grad=2.0)
NETWORK = convnext("atto").replace(width=8, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
TRIAL = Trial(NETWORK, RECIPE, "digits", seed=3)
SHORT = replace(TRIAL, recipe=RECIPE.replace(epochs=1))
FOR_THREE = replace(TRIAL, recipe=RECIPE.replace(batch_size=30))

Losses = tuple[list[float], list[float]]
Patch = pytest.MonkeyPatch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--learns", action="store_true", help="train as it should be and in wrong ways")
    parser.add_argument("--scores", nargs="*", metavar="NAME", help="evaluate a network on data sets")
    parser.add_argument("--stops", nargs=2, metavar=("WHO", "STEP"), help="train; after that step WHO gets SIGTERM")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.learns:
        learns(asked.folder)
    if asked.scores:
        scores(asked.folder, asked.scores)
    if asked.stops:
        stops(asked.folder, asked.stops[0], int(asked.stops[1]))


def learns(folder: Path) -> None:
    found = {}
    for name, (trial, accumulate, way) in WAYS.items():
        with way():
            found[name] = losses_of(trial, folder / name, accumulate)
    (folder / f"losses-{os.environ['RANK']}.json").write_text(json.dumps(found))


def losses_of(trial: Trial, folder: Path, accumulate: int = 1) -> Losses:
    """The loss of each step, and the mean of each epoch."""
    steps: list[float] = []
    with each_step(lambda _, loss: steps.append(loss)):
        outcome = training.run(trial, folder, accumulate=accumulate)
    return steps, list(outcome.train_losses)


@contextmanager
def each_step(said: Callable[[int, float], object]) -> Iterator[None]:
    """Say number and loss of each step that the training loop takes."""
    own = training.Training._step

    def step(self: training.Training, number: int, *batch: Tensor) -> float:
        loss = own(self, number, *batch)
        said(number, loss)
        return loss

    with Patch.context() as patched:
        patched.setattr(training.Training, "_step", step)
        yield


@contextmanager
def same_images() -> Iterator[None]:
    """Wrong: each process takes the first share of a batch."""
    own = InMemory.train_batches

    def first(self: InMemory, recipe: object, seed: int, epoch: int, rank: int, *rest: int) -> object:
        return own(self, recipe, seed, epoch, 0, *rest)

    with Patch.context() as patched:
        patched.setattr(InMemory, "train_batches", first)
        yield


@contextmanager
def summed_gradients() -> Iterator[None]:
    """Wrong: the processes' gradients are added up where their mean is meant."""
    own = Accelerator.backward
    with Patch.context() as patched:
        patched.setattr(Accelerator, "backward", lambda self, loss: own(self, loss * self.num_processes))
        yield


WAYS = {
    "whole": (TRIAL, 1, nullcontext),
    "in two parts": (SHORT, 2, nullcontext),
    "the same images": (SHORT, 1, same_images),
    "summed gradients": (SHORT, 1, summed_gradients),
}


def scores(folder: Path, names: list[str]) -> None:
    found = [score(name) for name in names]
    (folder / f"scores-{os.environ['RANK']}.json").write_text(json.dumps(found))


def score(name: str) -> tuple[float, float, int]:
    """Accuracy, loss and number of images of an untrained network on a data set."""
    torch.manual_seed(7)
    of = datasets.load(name)
    network = build(NETWORK, of.info.num_classes, of.info.in_chans)
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.normal_()  # or all images would have about the same loss
    return training.evaluate(_InFloat64(network), of, RECIPE.replace(size=32))


class _InFloat64(nn.Module):
    """In float32 the last digits of an image's logits depend on how many others are in its batch."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.double()

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.double())


def make_images(folder: Path) -> str:
    """An image folder, as a data set by name: 137 test images, larger than the recipe of `score` wants them, thus streamed."""
    draw = np.random.default_rng(0)
    for place, number, brightest in (("train/a", 2, 100), ("train/b", 2, 200), ("val/a", 67, 100), ("val/b", 70, 200)):
        (folder / place).mkdir(parents=True)
        for i in range(number):
            pixels = draw.integers(0, brightest, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / place / f"{i}.png")
    return f"imagefolder:{folder}"


def stops(folder: Path, who: str, last: int) -> None:
    """Train a trial to its end, or until "process 1" or "torchrun" gets SIGTERM after the step of that number."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    targets = {("process 1", 1): os.getpid(), ("torchrun", 0): os.getppid()}
    asked, save, done = training.Training._asked_anywhere, training.save_weights, -1
    with (folder / f"steps-{rank}").open("a", buffering=1) as steps, Patch.context() as patched:

        def note(step: int, loss: float) -> None:
            nonlocal done
            done = step
            steps.write(json.dumps([step, loss]) + "\n")

        def asked_by_then(self: training.Training, stop: training.StopSignal) -> bool:
            if done == last and (who, rank) in targets:
                os.kill(targets[who, rank], signal.SIGTERM)
                _wait_for(stop)
            return asked(self, stop)

        def saved(network: object, file: Path) -> None:
            with (folder / f"saved-by-{rank}").open("a") as names:
                names.write(f"{file.name}\n")
            save(network, file)

        patched.setattr(training.Training, "_asked_anywhere", asked_by_then)
        patched.setattr(training, "save_weights", saved)
        with each_step(note):
            outcome = training.run(FOR_THREE if world == 3 else TRIAL, folder, checkpoint_seconds=1e6)
    (folder / f"epochs-{rank}.json").write_text(json.dumps(outcome.train_losses))


def _wait_for(stop: training.StopSignal) -> None:
    deadline = time.monotonic() + 300
    while not stop:
        if time.monotonic() > deadline:
            raise TimeoutError("the signal did not come")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
