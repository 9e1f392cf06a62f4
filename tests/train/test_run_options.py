"""What `run` takes besides the trial: starting weights, loader processes and compilation."""

from dataclasses import replace

import pytest
from torch._inductor.exc import InductorError, InvalidCxxCompiler

from ablation import AblationError, Study, Trial, build, run, save_weights
from ablation import data as datasets
from ablation.design.recipes import FAMILIES
from ablation.network.starting_weights import read_start
from tests.train.small import NETWORK

TRIAL = Trial(NETWORK, FAMILIES["micro"].modern.replace(epochs=4, batch_size=50), "digits#100")


def test_weights_must_be_those_of_the_trial(tmp_path):
    save_weights(build(NETWORK, 10, 1), tmp_path / "w.safetensors")
    digest = read_start(tmp_path / "w.safetensors").digest
    with pytest.raises(AblationError, match=f"make it with Trial\\(..., init='{digest}'\\)"):
        run(TRIAL, tmp_path, init_from=tmp_path / "w.safetensors")
    started = replace(TRIAL, init=digest)
    with pytest.raises(AblationError, match=f"starts from the weights {digest}: give the file"):
        run(started, tmp_path)
    with pytest.raises(AblationError, match="a study has no file of them"):
        Study([started], tmp_path).run()
    assert run(started, tmp_path, init_from=tmp_path / "w.safetensors").environment["init"] == digest


def test_the_number_of_loader_processes_reaches_the_data(tmp_path, monkeypatch):
    data, asked = type(datasets.load(TRIAL.data)), []
    for name in ("train_batches", "test_batches"):
        original = getattr(data, name)

        def recorded(self, *arguments, original=original, **options):
            asked.append(options["workers"])
            return original(self, *arguments, **options)

        monkeypatch.setattr(data, name, recorded)
    outcome = run(TRIAL, tmp_path, loader_workers=3)
    assert asked == [3] * 5 and outcome.environment["loader_workers"] == 3, "four epochs and the test images"
    for number in (0, 257, 1.5, True):
        with pytest.raises(AblationError, match="loader_workers"):
            run(TRIAL, tmp_path, loader_workers=number)


def test_a_compiler_that_is_missing_is_one_message(tmp_path, monkeypatch):
    def no_compiler(network):
        def call(images):
            raise InductorError(InvalidCxxCompiler("g++"), None)

        network.forward = call
        return network

    monkeypatch.setattr("torch.compile", no_compiler)
    with pytest.raises(
        AblationError, match=r"torch.compile could not compile the network.*Compiler: g\+\+ is not found"
    ):
        run(TRIAL, tmp_path, compiled=True)
    monkeypatch.setattr("torch.compile", lambda network: network)
    assert run(TRIAL, tmp_path, compiled=True).environment["compiled"] is True
