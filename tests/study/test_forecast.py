"""How long a study will take: what is long is told, and foretold from every network; what is short is not."""

import pytest
import torch

from ablation import Trial, convnext
from ablation.design.recipes import FAMILIES
from ablation.study import forecast as forecasts
from ablation.study.forecast import LONG_SECONDS, forecast

MICRO = FAMILIES["micro"].modern
TINY = convnext("atto").replace(width=4, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
TRIALS = [Trial(a, MICRO, "digits", seed) for seed in range(3) for a in (TINY, TINY.replace(width=8))]


@pytest.fixture
def seconds(monkeypatch):
    """What a trial takes, by its width, instead of a measurement; and which were asked for."""
    asked = []
    table = {4: 1000.0, 8: 3000.0}
    monkeypatch.setattr(
        forecasts, "_seconds", lambda trial: asked.append(trial.architecture.width) or table[trial.architecture.width]
    )
    return table, asked


def test_each_network_counts_as_often_as_it_is_trained(seconds):
    _, asked = seconds
    ticks = []
    more = [*TRIALS, Trial(TINY, MICRO, "digits", 3)]
    assert forecast(more, 2, lambda *tick: ticks.append(tick)) == (4 * 1000 + 3 * 3000) / 2
    assert asked == [4, 8] and ticks == [(1, 2), (2, 2)]
    assert forecast(TRIALS[:1], workers=8) == 1000, "one trial has one worker"


def test_a_short_study_is_timed_once_and_not_foretold(seconds):
    table, asked = seconds
    table[4] = LONG_SECONDS / len(TRIALS) * 2 - 1
    assert forecast(TRIALS, 2) is None and asked == [4]
    assert forecast([]) is None


def test_what_cannot_be_run_is_left_to_the_engine():
    assert forecast([Trial("timm:no_such_model", MICRO.replace(epochs=10**6), "digits")]) is None


def test_a_step_is_really_timed_and_nothing_is_left_changed():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    one, many = (forecast([Trial(TINY, MICRO.replace(epochs=epochs), "digits")]) for epochs in (10**5, 10**7))
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    assert one and many and 10 < many / one < 1000, "a hundred times the epochs"
    assert one > 10**5 * 22 * 1e-4, "22 steps an epoch, none of which takes less than a tenth of a millisecond"
