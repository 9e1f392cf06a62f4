"""Forecasts: long studies are estimated from one step of every network, short ones are not."""

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
def fake_timing(monkeypatch):
    """Replace the measurement; return the seconds of a trial by its width, and the list of timed widths."""
    seconds, timed = {4: 1000.0, 8: 3000.0}, []

    def trial_seconds(trial, run_options):
        timed.append(trial.architecture.width)
        return seconds[trial.architecture.width]

    monkeypatch.setattr(forecasts, "_trial_seconds", trial_seconds)
    return seconds, timed


def test_each_network_is_weighted_by_its_number_of_trials(fake_timing):
    _, timed = fake_timing
    ticks = []
    more = [*TRIALS, Trial(TINY, MICRO, "digits", 3)]
    assert forecast(more, 2, lambda *tick: ticks.append(tick)) == (4 * 1000 + 3 * 3000) / 2
    assert timed == [4, 8] and ticks == [(1, 2), (2, 2)]
    assert forecast(TRIALS[:1], workers=8) == 1000, "one trial uses one worker"


def test_a_short_study_is_timed_once_and_has_no_forecast(fake_timing):
    seconds, timed = fake_timing
    seconds[4] = LONG_SECONDS / len(TRIALS) * 2 - 1
    assert forecast(TRIALS, 2) is None and timed == [4]
    assert forecast([]) is None


def test_invalid_trials_are_ignored():
    assert forecast([Trial("timm:no_such_model", MICRO.replace(epochs=10**6), "digits")]) is None


def test_timing_a_step_preserves_random_state_and_threads():
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    one, many = (forecast([Trial(TINY, MICRO.replace(epochs=epochs), "digits")]) for epochs in (10**4, 10**6))
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    assert one and many and 10 < many / one < 1000, "a hundred times the epochs"
    assert one > 10**4 * 22 * 1e-4, "22 steps per epoch, of at least 0.1 ms each"
