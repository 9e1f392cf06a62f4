"""Learning rates are compared on the same held-out training images, and the one with the best mean is marked."""

import math

import pytest

from ablation import AblationError, Outcome
from ablation.design.recipe_changes import with_epochs
from ablation.design.recipes import FAMILIES, MODERN, family
from ablation.evidence.rate_table import rate_table
from ablation.show.rate_plots import plot_rates
from ablation.study.ladder import ladder_rungs
from ablation.study.rates import NETWORKS, rate_trials

RATES = {"original": [0.01, 0.02], "modern": [0.001, 0.002, 0.004]}
TRIALS = rate_trials("micro", "digits#500+100", RATES, epochs=3)


def outcome(accuracy, losses=(2.0, 1.0, 0.5)):
    return Outcome("done" if accuracy else "diverged", accuracy, 0.5, losses, 100, 1000, 3.0, 100.0, {})


def test_one_trial_per_network_and_rate():
    assert len(TRIALS) == 2 * 1 + 3 * 3
    rungs = {rung.name: rung.architecture for rung in ladder_rungs("micro")}
    for trial, (member, name) in TRIALS.items():
        original = getattr(family("micro"), member)
        assert name in NETWORKS[member] and trial.architecture == rungs[name] and trial.recipe.lr in RATES[member]
        assert trial.recipe.replace(lr=original.lr) == with_epochs(original, 3) and trial.data == "digits#500+100"
    unshortened = rate_trials("micro", "digits#500+100", RATES)
    assert {trial.recipe.epochs for trial in unshortened} == {family("micro").modern.epochs}


@pytest.mark.parametrize("pair", FAMILIES.values(), ids=FAMILIES)
def test_shortened_recipes_keep_their_schedule(pair):
    for recipe in (pair.original, pair.modern):
        assert with_epochs(recipe, recipe.epochs) == recipe
        short = with_epochs(recipe, 5)
        assert short.epochs == 5 and short.warmup_epochs <= 1
        assert recipe.schedule == "cosine" or 2 <= short.decay_epochs <= 4, "the rate decays at least once"
    assert with_epochs(MODERN, 30).warmup_epochs == 2


def test_data_without_held_out_images_is_refused():
    for name in ("digits", "digits#500"):
        with pytest.raises(AblationError, match="has no held-out images"):
            rate_trials("micro", name, RATES)


def test_the_best_mean_is_marked_and_a_diverged_rate_is_not():
    scores = {0.01: 50.0, 0.02: 60.0, 0.001: 70.0, 0.002: 71.0, 0.004: 99.0}
    outcomes = {trial: outcome(scores[trial.recipe.lr]) for trial in TRIALS}
    (diverged,) = (
        trial
        for trial, network in TRIALS.items()
        if network == ("modern", "move_up_depthwise") and trial.recipe.lr == 0.004
    )
    outcomes[diverged] = outcome(None, (2.0, math.nan))
    table = rate_table(TRIALS, outcomes)
    assert set(table[table["best"]]["lr"]) == {0.02, 0.002} and len(table) == len(TRIALS)
    assert table[table["lr"] == 0.004]["mean_accuracy"].isna().all()
    titles = {network: " ".join(network) for network in TRIALS.values()}
    figure = plot_rates(table, titles)
    panels = {ax.get_title(loc="left"): ax.get_legend().get_texts() for ax in figure.axes if ax.get_legend()}
    assert list(panels) == list(titles.values())
    texts = {text.get_text(): text.get_fontweight() for text in panels["modern move_up_depthwise"]}
    assert texts == {"0.001: 70.0 %": "normal", "0.002: 71.0 %": "bold", "0.004: diverged": "normal"}
