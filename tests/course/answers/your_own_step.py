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
        lambda channels: 2 * channels * (channels // 16) + channels // 16 + channels,  # nothing left of 8 channels
        lambda channels: 2 * channels * channels / 16 + channels / 16 + channels,  # a fraction of a channel
        lambda channels: 2 * channels,  # the gate of the notebook
        lambda channels: 2 * channels * max(channels // 4, 1) + max(channels // 4, 1) + channels,  # another ratio
        1000,
    ],
    "twice_is_once": [
        lambda step, starts: all(step(start) == start for start in starts),  # that is the identity
        lambda step, starts: step(step(starts[0])) == step(starts[0]),  # one start proves little
        lambda step, starts: any(step(step(start)) == step(start) for start in starts),
        lambda step, starts: len({step(start) for start in starts}) == 1,  # a step need not end in one place
        lambda step, starts: True,
        lambda step, starts: all(step(start) == step(start) for start in starts),  # compares it with itself
        lambda step, starts: [step(step(start)) == step(start) for start in starts],
    ],
    "where_the_cost_is_wrong": ["params", "both", "neither", "MACs", True],
}
