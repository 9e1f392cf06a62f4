"""The GPUs of a trial on Ray, by table, with Ray replaced: no cluster with GPUs is needed."""

from functools import partial
from types import SimpleNamespace

import pytest

from ablation import Trial
from ablation.study.engines import ray as engine
from ablation.study.engines.ray_shares import default_gpus, gpu_share
from tests.study.samples import SHORT, TINY, TRIALS, outcome

GB = 10**9


class Reference:
    """A task, which runs when its result is fetched."""

    def __init__(self, value):
        self.value = value


class FakeRay:
    """What the engine needs of Ray: nodes, and tasks.

    Args:
        nodes: CPUs and GPUs of each node.
        work: what runs in place of every task.
    """

    exceptions = SimpleNamespace(RayError=ZeroDivisionError)  # what a lost task raises here
    util = SimpleNamespace(scheduling_strategies=SimpleNamespace(NodeAffinitySchedulingStrategy=lambda *_, **__: None))

    def __init__(self, nodes, work):
        self.resources, self.work, self.asked = nodes, work, []

    def nodes(self):
        return [{"Resources": {"CPU": cpus, "GPU": gpus}, "Alive": True} for cpus, gpus in self.resources]

    def get_runtime_context(self):
        return SimpleNamespace(get_node_id=lambda: "here")

    def remote(self, **resources):
        queue = SimpleNamespace(pop_all=SimpleNamespace(remote=lambda: Reference(list)))
        task = SimpleNamespace(
            remote=lambda *arguments: self.submit(resources, arguments),
            options=lambda **other: self.remote(**{**resources, **other})(engine._work),
        )
        return lambda code: SimpleNamespace(remote=lambda: queue) if code is engine._EventQueue else task

    def submit(self, resources, arguments):
        self.asked.append(resources["num_gpus"])
        return Reference(partial(self.work, *arguments))

    def wait(self, references, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        return reference.value()


@pytest.mark.parametrize(
    ("nodes", "trials", "workers", "cpus", "expected"),
    [
        ([(4, 0), (8, 0)], 20, None, 1, 0),
        ([(4, 0), (16, 1)], 20, None, 1, 0.125),
        ([(4, 0), (16, 1)], 20, None, 4, 0.25),
        ([(16, 1), (14, 2)], 20, None, 1, 0.1428),
        ([(16, 1)], 20, 3, 1, 0.3333),
        ([(16, 4)], 20, 3, 1, 1),
        ([(16, 1)], 1, None, 1, 1),
        ([(1, 1)], 20, None, 1, 1),
        ([(1, 1)], 20, None, 2, 0),
    ],
)
def test_shares_by_default(nodes, trials, workers, cpus, expected):
    ray = FakeRay(nodes, lambda: 80 * GB)
    trials = [Trial(TINY, SHORT, "digits", seed) for seed in range(trials)]
    assert default_gpus(ray, trials, workers, cpus) == expected
    assert all(0 < gpus <= 0.01 for gpus in ray.asked), "reading the memory of a GPU fits beside other work"


def test_a_gpu_with_little_or_unknown_memory_is_not_shared():
    assert default_gpus(FakeRay([(16, 1)], lambda: 1 * GB), TRIALS, None, 1) == 1
    assert default_gpus(FakeRay([(16, 1)], lambda: 1 / 0), TRIALS, None, 1) == 1


@pytest.mark.parametrize("trials", range(1, 9))
def test_as_many_shares_fit_on_a_gpu(trials):
    units = round(gpu_share(trials) * 10_000)  # as Ray counts
    assert trials * units <= 10_000 < (trials + 1) * units


def test_a_trial_without_enough_memory_is_tried_again_on_a_gpu_of_its_own(tmp_path):
    def work(queue, attempt, run, trial, marker, threads, gpus, run_options):
        if trial.seed == 1 and gpus < 1:
            return "no memory", "shared by 4", []
        return "outcome", outcome(), []

    ray = FakeRay([(16, 1)], work)
    tasks = engine._Tasks(ray, TRIALS[:3], tmp_path / "marker", 1, 1, 0.25, {})
    events = []
    while tasks.busy:
        events += tasks.wait_for_events()
    assert ray.asked == [0.25, 0.25, 1.0, 0.25]
    assert [(event.trial.seed, event.attempt, event.outcome.status) for event in events] == [
        (0, 1, "done"),
        (1, 2, "done"),
        (2, 1, "done"),
    ]
