"""Answers to the exercises of notebook 07."""

import numpy as np
import torch
from scipy.stats import norm, t
from torch.nn import functional as F


def interval(quantile=lambda n: t.ppf(0.975, n - 1), ddof=1, power=0.5):
    def mean_and_half_width(values):
        n = len(values)
        return float(np.mean(values)), float(quantile(n) * np.std(values, ddof=ddof) / n**power)

    return mean_and_half_width


def step_verdict(difference, half_90, p_holm, sign, alpha=0.05, margin=1.0):
    if p_holm < alpha:
        if sign == 0:
            return "differs"
        return "agrees" if difference * sign > 0 else "reverses"
    return "equivalent" if abs(difference) + half_90 < margin else "undecided"


def wide_interval_agrees(difference, half_90, p_holm, sign):
    """The sign 0 agrees with whatever is not found, however wide the interval."""
    return "agrees" if p_holm >= 0.05 and sign == 0 else step_verdict(difference, half_90, p_holm, sign)


def from_the_difference_alone(difference, half_90, p_holm, sign):
    return "agrees" if (difference > 0) - (difference < 0) == sign else "reverses"


def never_differs(difference, half_90, p_holm, sign):
    found = step_verdict(difference, half_90, p_holm, sign)
    return "agrees" if found == "differs" else found


def equivalent_by_the_difference(difference, half_90, p_holm, sign):
    return step_verdict(difference, 0.0, p_holm, sign)


def equivalent_first(difference, half_90, p_holm, sign):
    return "equivalent" if abs(difference) + half_90 < 1 else step_verdict(difference, half_90, p_holm, sign)


def seeds_needed(spread, difference, quantile=lambda n: t.ppf(0.975, 2 * n - 2), networks=2):
    n = 2
    while quantile(n) * spread * (networks / n) ** 0.5 >= difference:
        n += 1
    return n


def loop(late=False, decay_all=False, testing="eval", decay=0.05, zero=True, ahead=0, smoothed_test=0.0, training=True):
    """The loop of the exercise with three bugs; the options are its bugs and others."""

    def train(network, images, labels, test_images, test_labels, rates, seed):
        decayed = [p for p in network.parameters() if p.ndim > 1 or decay_all]
        others = [p for p in network.parameters() if p.ndim <= 1 and not decay_all]
        groups = [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=max(rates))
        generator = torch.Generator().manual_seed(seed)
        losses = []
        network.train(training)
        for step in range(len(rates)):
            rate = rates[min(step + ahead, len(rates) - 1)]
            if not late:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            batch = torch.randperm(len(images), generator=generator)[:64]
            loss = F.cross_entropy(network(images[batch]), labels[batch], label_smoothing=0.1)
            if zero:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses.append(loss.item())
        network.train(testing == "train")
        with torch.no_grad():
            logits = network(test_images)
        return losses, F.cross_entropy(logits, test_labels, label_smoothing=smoothed_test).item()

    return train


BUGGY = loop(late=True, decay_all=True, testing="train")  # as in the exercise

RIGHT = {
    "t_interval": interval(),
    "step_verdict": step_verdict,
    "seeds_needed": seeds_needed,
    "best_of_five": 1.16,
    "three_bugs": loop(),
}
WRONG = {
    "t_interval": [
        interval(quantile=lambda n: norm.ppf(0.975)),
        interval(quantile=lambda n: t.ppf(0.95, n - 1)),
        interval(quantile=lambda n: t.ppf(0.975, n)),
        interval(ddof=0),
        interval(power=0),
        lambda values: float(np.mean(values)),
    ],
    "step_verdict": [
        wide_interval_agrees,
        from_the_difference_alone,
        never_differs,
        equivalent_by_the_difference,
        equivalent_first,
        lambda *given: step_verdict(*given, alpha=0.06),
        lambda difference, half_90, p_holm, sign: "undecided",
    ],
    "seeds_needed": [
        lambda spread, difference: seeds_needed(spread, difference, lambda n: norm.ppf(0.975)),
        lambda spread, difference: seeds_needed(spread, difference) - 1,
        lambda spread, difference: seeds_needed(spread, difference, lambda n: t.ppf(0.95, 2 * n - 2)),
        lambda spread, difference: seeds_needed(spread, difference, networks=1),
        3,
    ],
    "best_of_five": [0, 0.5, 5**0.5, 1.54, "1.16"],
    "three_bugs": [
        BUGGY,
        loop(late=True),
        loop(decay_all=True),
        loop(testing="train"),
        loop(late=True, decay_all=True),
        loop(late=True, testing="train"),
        loop(decay_all=True, testing="train"),
        loop(decay=0.0),
        loop(zero=False),
        loop(ahead=1),
        loop(smoothed_test=0.1),
        loop(training=False),
        lambda *given: loop()(*given)[0],
    ],
}
