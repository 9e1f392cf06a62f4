"""Answers to the exercises of notebook 10."""


def excitation(channels):
    hidden = max(channels // 16, 1)
    return 2 * channels * hidden + hidden + channels


RIGHT = {
    "squeeze_excitation_params": excitation,
    "twice_is_once": lambda step, starts: all(step(step(start)) == step(start) for start in starts),
    "where_the_cost_is_wrong": "macs",
}
WRONG = {
    "squeeze_excitation_params": [
        lambda channels: 2 * channels * max(channels // 16, 1),  # no biases
        lambda channels: 2 * channels * (channels // 16) + channels // 16 + channels,  # hidden width 0 for 8 channels
        lambda channels: 2 * channels * channels / 16 + channels / 16 + channels,  # fractional hidden width
        lambda channels: 2 * channels,  # the channel gate from the notebook
        lambda channels: 2 * channels * max(channels // 4, 1) + max(channels // 4, 1) + channels,  # another ratio
        1000,
    ],
    "twice_is_once": [
        lambda step, starts: all(step(start) == start for start in starts),  # tests for the identity
        lambda step, starts: step(step(starts[0])) == step(starts[0]),  # tests only one start
        lambda step, starts: any(step(step(start)) == step(start) for start in starts),
        lambda step, starts: len({step(start) for start in starts}) == 1,  # tests for a constant step
        lambda step, starts: True,
        lambda step, starts: all(step(start) == step(start) for start in starts),  # compares the step with itself
        lambda step, starts: [step(step(start)) == step(start) for start in starts],
    ],
    "where_the_cost_is_wrong": ["params", "both", "neither", "MACs", True],
}
