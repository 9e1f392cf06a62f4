"""What `ablation train` prints: a line for each epoch, and in a terminal the current step."""

import io

from rich.console import Console

from ablation.commands.epoch_lines import epoch_line, shown_progress, step_line
from ablation.train.loop import Moment

MOMENT = Moment(epoch=2, epochs=300, step=30, steps=312, loss=6.8912, learning_rate=1e-3, images_per_second=1234.4)
END = Moment(2, 300, 312, 312, 6.5, 1e-3, 2000.0, accuracy=12.345)


def test_the_lines_say_epoch_step_loss_speed_and_accuracy():
    assert step_line(MOMENT) == "epoch 2/300, step 30/312: 6.8912, 1,234 images/s"
    assert epoch_line(END) == "epoch 2/300  training loss 6.5000  top-1 12.35 %  2,000 images/s"
    assert "top-1" not in epoch_line(MOMENT)


def test_only_ends_of_epochs_are_printed_where_there_is_no_terminal():
    for terminal in (False, True):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
        with shown_progress(console) as report:
            report(MOMENT)
            report(END)
        printed = console.file.getvalue()
        assert printed.count("training loss 6.5000") == printed.count("training loss") == 1
        assert ("step" in printed) == terminal
