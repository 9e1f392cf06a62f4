"""Memory layouts: the fastest is kept, trying them changes nothing, and the settings of the caller are restored."""

import copy

import pytest
import torch
from torch import nn

from ablation import Trial, run
from ablation import data as datasets
from ablation.design.recipes import FAMILIES
from ablation.train import run as training
from ablation.train import tuning
from ablation.train.arithmetic import float32_products
from ablation.train.checkpoint import Checkpoints
from ablation.train.evaluation import evaluate, make_accelerator
from ablation.train.loop import Training
from ablation.train.modules import train_module
from ablation.train.stop import StopSignal
from ablation.train.trial_files import checkpoint_folder
from ablation.train.tuning import LAYOUTS, candidates, choose_layout, fast_training, fastest, kernels, settle_layout
from tests.train.small import NETWORK

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
RECIPE = FAMILIES["micro"].modern.replace(epochs=2, warmup_epochs=0)
TRIAL = Trial(NETWORK, RECIPE, "digits#320", seed=1)


class Clock:
    """A clock that trying a layout moves on."""

    def __init__(self, seconds):
        self.now, self.seconds = 0.0, seconds
        self.tried = []

    def __call__(self):
        return self.now

    def pass_in(self, name):
        took, wall = self.seconds[name]
        self.now += wall
        self.tried.append(name)
        if isinstance(took, Exception):
            raise took
        return took


@pytest.mark.parametrize(
    ("seconds", "chosen", "tried"),
    [
        ({"a": (1.0, 0.1), "b": (0.9, 0.1), "c": (0.8, 0.1)}, "c", "abc"),
        ({"a": (1.0, 0.1), "b": (0.98, 0.1)}, "a", "ab"),  # that may be noise
        ({"a": (1.0, 0.1), "b": (1.2, 0.1)}, "a", "ab"),
        ({"a": (1.0, 2.1), "b": (0.1, 0.1)}, "a", "a"),  # the time is up
        ({"a": (1.0, 1.0), "b": (0.5, 1.1), "c": (0.1, 0.1)}, "b", "ab"),
        ({"a": (RuntimeError("out of memory"), 3.0), "b": (0.5, 0.1)}, "b", "ab"),
        ({"a": (ValueError("one value per channel"), 0.1), "b": (RuntimeError("no"), 0.1)}, "a", "ab"),
    ],
)
def test_the_fastest_layout_is_kept_within_the_time(seconds, chosen, tried):
    clock = Clock(seconds)
    assert fastest(list(seconds), clock.pass_in, clock) == chosen
    assert clock.tried == list(tried)


def test_layouts_worth_trying(monkeypatch):
    plain, depthwise = nn.Conv2d(4, 8, 3), nn.Conv2d(4, 4, 3, groups=4)
    for can_choose in (False, True):
        monkeypatch.setattr(tuning, "_can_choose_kernel", lambda can_choose=can_choose: can_choose)
        assert candidates(plain, torch.float16) == ["channels_last", "contiguous"]
        assert candidates(depthwise, None) == ["channels_last", "contiguous"]
        own = ["contiguous, cuDNN depthwise", "contiguous, native depthwise"]
        assert candidates(depthwise, torch.float16) == ["channels_last", *(own if can_choose else ["contiguous"])]
    assert choose_layout(depthwise, (2, 4, 8, 8), CPU, None) == "channels_last"


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_pass_is_timed_in_each_format(dtype):
    seen = []
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4))
    network.register_forward_pre_hook(
        lambda _, inputs: seen.append((inputs[0].is_contiguous(), network[0].weight.dtype))
    )
    for layout in ("channels_last", "contiguous"):
        assert tuning._seconds(network, torch.randn(2, 4, 8, 8), dtype, CPU, layout) > 0
        assert {contiguous for contiguous, _ in seen} == {layout == "contiguous"}
        seen.clear()
    assert network[0].weight.grad is None


def test_trying_layouts_changes_neither_network_nor_generators(monkeypatch):
    """The code of CUDA devices, run on the CPU."""
    network = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).eval()
    network[0].weight.grad = torch.ones_like(network[0].weight)
    before, randn, timed = copy.deepcopy(network.state_dict()), torch.randn, []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda _: None)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch, "randn", lambda *shape, device: randn(*shape))
    seconds = tuning._seconds

    def timed_pass(copied, images, dtype, device, layout):
        timed.append((layout, tuple(images.shape), copied.training))
        return seconds(copied, images, dtype, CPU, layout) * (0.1 if layout == "contiguous" else 1)

    monkeypatch.setattr(tuning, "_seconds", timed_pass)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert choose_layout(network, (2, 4, 8, 8), CUDA, None) == "contiguous"
    assert timed == [(name, (2, 4, 8, 8), True) for name in ("channels_last", "contiguous")]
    assert torch.equal(torch.get_rng_state(), state) and not network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(network[0].weight.grad, torch.ones_like(network[0].weight))


def settings():
    backends = torch.backends
    owners = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul, backends.mkldnn.matmul)
    return [
        *(owner.fp32_precision for owner in owners),
        backends.cudnn.benchmark,
        getattr(backends.cudnn, "depthwise_kernel", None),
    ]


@pytest.fixture
def restored():
    """Restore torch's defaults after tests that play a caller who has changed them."""
    yield
    torch.backends.cudnn.conv.fp32_precision = torch.backends.cudnn.rnn.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "none"
    torch.backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


def set_newer(conv, matmul):
    torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision = conv, matmul


CALLERS = {
    "defaults": lambda: None,
    "older, high": lambda: torch.set_float32_matmul_precision("high"),
    "older, medium": lambda: torch.set_float32_matmul_precision("medium"),
    "older, no tf32": lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
    "newer, tf32": lambda: set_newer("tf32", "tf32"),
    "newer, ieee": lambda: set_newer("ieee", "ieee"),
    "newer, everywhere": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
}


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_float32_products_are_as_asked_and_the_caller_s_settings_come_back(caller, restored):
    caller()
    before = settings()
    for tf32 in (True, False):
        with float32_products(CUDA, tf32):
            conv, rnn, matmul, *_ = settings()
            assert conv == rnn == matmul == ("tf32" if tf32 else "ieee")
            # torch.compile reads these, which raise an error where they differ from the newer settings
            assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == tf32
            assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
        assert settings() == before
    with float32_products(CPU, True):
        assert settings() == before


def test_settings_come_back_after_an_error(restored):
    before = settings()
    with pytest.raises(KeyError), fast_training("contiguous, native depthwise", CUDA) as memory_format:
        assert memory_format == torch.contiguous_format and torch.backends.cudnn.benchmark
        if tuning._can_choose_kernel():
            assert torch.backends.cudnn.depthwise_kernel == "native"
        raise KeyError
    assert settings() == before
    with kernels(LAYOUTS["contiguous, cuDNN depthwise"], CPU, benchmark=True):
        assert settings() == before


@pytest.mark.parametrize("on_device", [False, True])
def test_a_network_gets_images_in_its_format(on_device):
    data, accelerator = copy.copy(datasets.load("digits#320")), make_accelerator()
    data.train_images, data.mean, data.std = data.train_images.expand(-1, 3, -1, -1), (0.5,) * 3, (0.5,) * 3
    network, seen = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10)), []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for layout in ("channels_last", "contiguous"):
        settle_layout(layout, network, TRIAL, data, accelerator, 1)
        memory_format = LAYOUTS[layout].memory_format
        steps = data.steps_per_epoch(RECIPE)
        made = Training(network, TRIAL, data, steps, accelerator, 1, False, on_device, memory_format=memory_format)
        next(made.taken.losses(0, 0, StopSignal()))
        assert seen and all(images.is_contiguous(memory_format=memory_format) for images in seen)
        assert network[0].weight.is_contiguous(memory_format=memory_format)
        seen.clear()


def test_evaluation_is_without_tf32_and_training_with_it(monkeypatch, tmp_path):
    asked = []

    def recorded(device, tf32):
        asked.append(tf32)
        return float32_products(device, tf32)

    monkeypatch.setattr(tuning, "float32_products", recorded)
    monkeypatch.setattr("ablation.train.evaluation.float32_products", recorded)
    run(TRIAL, tmp_path)
    assert asked == [True, False]
    asked.clear()
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    train_module(network, TRIAL)
    assert asked == [True, False]
    evaluate(network, datasets.load("digits"), RECIPE)
    assert asked[2:] == [False]


def test_a_resumed_trial_goes_on_in_the_layout_it_began_with(tmp_path, monkeypatch):
    chosen = iter(["contiguous"])
    monkeypatch.setattr(tuning, "choose_layout", lambda *_: next(chosen))  # a second choice would fail

    class Interrupted(StopSignal):
        def __bool__(self):
            return True

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "StopSignal", Interrupted)
        run(TRIAL, tmp_path)
    folder = checkpoint_folder(tmp_path, TRIAL.key(datasets.load(TRIAL.data).checksum))
    assert Checkpoints(folder).recorded("memory_format") == "contiguous"
    assert Checkpoints(folder).recorded("no such setting") is None
    assert Checkpoints(tmp_path / "none").recorded("memory_format") is None
    assert run(TRIAL, tmp_path).environment["memory_format"] == "contiguous"


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("layout", [None, *LAYOUTS])
def test_trials_on_a_gpu_train_in_every_layout_and_precision(layout, precision, tmp_path, monkeypatch):
    """With the layout that is chosen, and with each of them."""
    if layout:
        monkeypatch.setattr(tuning, "choose_layout", lambda *_: layout)
    before = settings()
    outcome = run(TRIAL, tmp_path, precision=precision, device="cuda")
    about = outcome.environment
    assert about["memory_format"] in ([layout] if layout else LAYOUTS) and about["precision"] == precision
    assert about["steps"] == "captured" and about["tf32"] == (torch.cuda.get_device_capability() >= (8, 0))
    assert outcome.train_losses[1] < outcome.train_losses[0] and settings() == before


@pytest.mark.gpu
def test_tf32_is_used_where_it_is_asked_for_and_nowhere_else():
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no TF32")
    left, right = torch.randn(256, 256, device="cuda"), torch.randn(256, 256, device="cuda")
    images, kernel = torch.randn(8, 64, 32, 32, device="cuda"), torch.randn(64, 64, 3, 3, device="cuda")
    for product, one, two in ((torch.matmul, left, right), (nn.functional.conv2d, images, kernel)):
        exact, errors = product(one.double(), two.double()), {}
        for tf32 in (True, False):
            with float32_products(CUDA, tf32):
                errors[tf32] = (product(one, two) - exact).abs().max().item()
        assert errors[True] > 10 * errors[False]
