"""The live table of a running study."""

import io

from rich.console import Console

from ablation import Outcome, Trial, convnext
from ablation.commands.progress import StudyProgress, _print_forecast
from ablation.design.recipes import FAMILIES
from ablation.study import forecast as forecasts
from ablation.study.engines import Event, sharing
from ablation.study.engines.sharing import Machine

TRIALS = [Trial(convnext("atto"), FAMILIES["micro"].modern, "digits", seed) for seed in range(3)]
OUTCOME = Outcome("done", 90.0, 0.5, (1.0,), 355, 1000, 3.0, 100.0, {})


def test_the_table_shows_rates_and_remaining_times():
    clock = [100.0]
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    progress = StudyProgress(3, lambda trial: "the network", lambda trial: 1200, console, now=lambda: clock[0])

    def shown():
        console.file = io.StringIO()
        console.print(progress)
        return " ".join(console.file.getvalue().split())

    def send(seconds, trial, kind, *rest, **more):
        clock[0] += seconds
        progress.on_event(Event(trial, kind, *rest, **more))

    send(0, TRIALS[0], "started", 1)
    assert "the network 0 1" in shown(), "no rate before the first epoch has ended"
    send(60, TRIALS[0], "epoch", 1, 1, 9, 2.0)
    assert "the network 0 1/9 2.0000 20 8 minutes 1" in shown()
    send(0, TRIALS[1], "started", 2)
    send(5, TRIALS[1], "epoch", 2, 4, 9, 1.5)
    assert "the network 1 4/9 1.5000 2" in shown(), "no rate from an epoch that was resumed midway"
    send(30, TRIALS[1], "epoch", 2, 5, 9, 1.4)
    assert "the network 1 5/9 1.4000 40 2 minutes 2" in shown()
    send(0, TRIALS[1], "epoch", 2, 9, 9, 1.0)
    assert "the network 1 9/9 1.0000 200 2" in shown()
    send(25, TRIALS[0], "ended", 1, outcome=OUTCOME)
    assert "the network 0" not in shown() and "1/3" in shown() and "about 4 minutes left" in shown()
    send(1, TRIALS[1], "ended", 2, outcome=OUTCOME)
    send(1, TRIALS[2], "ended", 1, outcome=OUTCOME)
    assert "3/3" in shown() and "about" not in shown()


def test_where_trials_run_on_gpus_is_said_before_how_long_they_take(monkeypatch):
    asked = []
    monkeypatch.setattr(sharing, "this_machine", lambda device="auto": Machine("cuda", 2, ("0",)))
    monkeypatch.setattr(sharing, "free_gpu_bytes", lambda: 15 * 10**9)
    monkeypatch.setattr(forecasts, "forecast", lambda *arguments: asked.append(arguments) or 7200.0)
    console = Console(file=io.StringIO(), width=200)
    _print_forecast(TRIALS, None, {"precision": "fp16"}, console)
    assert console.file.getvalue().startswith("2 trials at a time on 1 GPU\nabout 2.0 hours on this machine, estimated")
    assert asked[0][0] == TRIALS and asked[0][-1] == {"precision": "fp16"}
