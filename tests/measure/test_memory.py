"""Memory: training steps and peaks checked against manual counts, and chunks that fit in free memory."""

import pytest
import torch
from torch import nn

from ablation import RESNET50, AblationError, build, convnext
from ablation.measure import memory
from ablation.measure.memory import (
    Saving,
    TrainingMemory,
    chunk_for,
    chunk_size,
    free_bytes,
    peak_bytes,
    training_memory,
)
from tests.untouched import untouched

CPU = torch.device("cpu")
FLOAT = 4  # bytes


def test_a_training_step_matches_a_manual_count():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 100, 5)
    )
    params = (3 * 8 + 8) + (8 * 4 + 4) + (400 * 5 + 5)
    image, first, second = 3 * 100, 8 * 100, 4 * 100  # each ReLU's output is the next layer's input: saved once
    for batch in (1, 2, 7):
        assert training_memory(network, size=10, batch=batch) == TrainingMemory(
            weights=params * FLOAT,
            gradients=params * FLOAT,
            optimizer=2 * params * FLOAT,
            activations=(image + first + second) * batch * FLOAT,
        )


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 0), ("momentum", 1), ("adamw", 2)])
def test_optimizers_keep_copies_of_trained_parameters_only(optimizer, copies):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    network[0].requires_grad_(False)
    needed = training_memory(network, size=8, optimizer=optimizer)
    trained = 4 + 4
    buffers = 4 + 4 + 2  # running mean and variance, and a counter of eight bytes
    assert needed.weights == (3 * 4 + 4 + trained + buffers) * FLOAT
    assert needed.gradients == trained * FLOAT
    assert needed.optimizer == copies * trained * FLOAT
    assert needed.total == needed.weights + needed.gradients + needed.optimizer + needed.activations


def test_double_precision_takes_twice_the_memory():
    network = build(convnext("atto").replace(width=4), num_classes=3)
    single = training_memory(network, size=64, batch=2)
    double = training_memory(network.double(), size=64, batch=2)
    assert double.activations == 2 * single.activations and double.gradients == 2 * single.gradients


@pytest.mark.parametrize(
    "architecture", [RESNET50.replace(width=16), convnext("atto").replace(width=16)], ids=["resnet", "convnext"]
)
def test_the_estimate_agrees_with_the_measured_peak_of_a_step(architecture):
    network, images = build(architecture, num_classes=10).train(), torch.randn(8, 3, 64, 64)
    needed = training_memory(network, size=64, batch=8)

    def step():
        network.zero_grad()
        network(images).mean().backward()

    peak = peak_bytes(step, CPU) + images.nbytes  # the images are allocated before
    assert needed.activations <= peak <= 1.1 * (needed.activations + needed.gradients)


def test_estimating_leaves_the_network_unchanged():
    network = build(RESNET50.replace(width=4), num_classes=3).eval()
    with untouched(network):
        training_memory(network, size=64)
    with torch.no_grad():
        assert training_memory(network, size=64).activations > 0, "even if the caller disabled gradients"


def test_batch_norm_on_a_single_position_is_supported():
    network = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4))
    assert training_memory(network, size=8, batch=1).activations > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adam"}, "unknown optimizer 'adam'; did you mean 'adamw'"),
        ({"batch": 0}, "batch 0 must be 1 or more"),
        ({"in_chans": 5}, "could not be run on images of 5 x 8 x 8"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(AblationError, match=message):
        training_memory(nn.Conv2d(3, 4, 1), size=8, **options)


def test_inference_mode_is_refused():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"torch\.no_grad"):
        training_memory(nn.Conv2d(3, 4, 1), size=8)


def test_a_storage_saved_several_times_counts_once():
    x = torch.randn(100, requires_grad=True)
    with Saving(nn.Identity()) as saving:
        y = x.exp()  # saves its output
        kept = [y * y, y[:50].sin(), y.view(10, 10) @ y.view(10, 10)]
    assert len(kept) == 3 and saving.bytes == 100 * FLOAT


def test_parameters_and_buffers_do_not_count():
    linear = nn.Linear(10, 10, bias=False)
    x = torch.randn(3, 10, requires_grad=True)
    with Saving(linear) as saving:
        kept = linear(x)
    assert saving.bytes == 30 * FLOAT and kept.requires_grad, "the input but not the weight"
    with Saving(nn.Identity()) as saving:
        kept = linear(x)
    assert saving.bytes == (30 + 100) * FLOAT


def test_nothing_is_counted_outside_the_context_or_without_gradients():
    x = torch.randn(100, requires_grad=True)
    with Saving(nn.Identity()) as saving, torch.no_grad():
        x.exp()
    x.exp()
    assert saving.bytes == 0


def test_a_peak_matches_a_manual_count():
    def call():
        first = torch.empty(1000)
        second = first + 1  # 2000 alive
        del first
        third = second * 2  # 2000 again
        third += 1  # in place
        half = third[:500]  # a view
        del second, third, half
        torch.empty(1500)

    assert peak_bytes(call, CPU) == 2000 * FLOAT
    assert peak_bytes(call, CPU) == 2000 * FLOAT, "the same on the second call"


def test_memory_allocated_before_is_not_in_the_peak():
    before = torch.empty(10_000)
    assert peak_bytes(lambda: before.mul_(2), CPU) == 0
    assert peak_bytes(lambda: before[:10].add(1), CPU) == 10 * FLOAT


def test_kept_tensors_count_until_the_end():
    kept = []

    def call():
        kept.extend(torch.empty(100) for _ in range(5))

    assert peak_bytes(call, CPU) == 500 * FLOAT


def test_chunks_fit_in_free_memory(monkeypatch):
    images = torch.empty(1, 3, 16, 16).expand(100, -1, -1, -1)
    image_bytes = 3 * 16 * 16 * FLOAT
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10_000_000)
    needed = 2 * 100_000 + 4 * image_bytes
    assert chunk_for(100_000, images) == 4_000_000 // needed
    assert chunk_for(10**12, images) == 1, "never less than one image"
    assert chunk_for(0, images) == 100, "never more than there are images"


def test_chunks_on_a_cpu_stay_small(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10**15)
    assert chunk_for(1, torch.empty(1).expand(64, 3, 224, 224)) == 4
    assert chunk_for(1, torch.empty(1).expand(64, 3, 448, 448)) == 1
    assert chunk_for(1, torch.empty(1).expand(64, 3, 896, 896)) == 1


def test_chunk_size_depends_on_what_one_image_saves(monkeypatch):
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU()).requires_grad_(False).train()
    images = torch.randn(50, 3, 16, 16)
    saved = (3 + 8) * 256 * FLOAT  # the convolution saves its input, the ReLU its output
    needed = 2 * saved + 4 * 3 * 256 * FLOAT
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10 * needed)
    original = images.clone()
    with untouched(network):
        assert chunk_size(network, images) == 4, "four tenths of the free memory"
    assert torch.equal(images, original)


def test_free_memory_is_plausible():
    assert 10**7 < free_bytes(CPU) < 10**15
