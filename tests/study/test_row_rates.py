"""Learning rates for each row of a ladder: the trials that compare them, and the ladder that takes them from a file."""

import dataclasses

import pytest

from ablation import AblationError
from ablation.design.recipes import FAMILIES, Family, family
from ablation.evidence.row_rate_table import row_rate_table
from ablation.study.ladder import ladder_rungs, ladder_trials
from ablation.study.rates import rate_trials
from ablation.study.row_rates import GRID, read_rates, row_rate_trials
from tests.study.samples import outcome

DATA = "digits#200+100"
RATES = {"original": [0.005, 0.01, 0.02], "modern": [0.002, 0.004]}
TRIALS = row_rate_trials("micro", DATA, RATES, epochs=3, seeds=range(2))
RUNGS = ladder_rungs("micro")
OWN = {rung.name: RATES[rung.recipe][i % 2] for i, rung in enumerate(RUNGS)}


def test_every_row_has_the_rates_of_its_recipe_and_the_same_budget():
    assert len(TRIALS) == 2 * (3 + 16 * 2)
    for trial, (rung,) in TRIALS.items():
        recipe = getattr(family("micro"), rung.recipe)
        assert trial.architecture == rung.architecture and trial.recipe.replace(
            lr=recipe.lr, epochs=9
        ) == recipe.replace(warmup_epochs=trial.recipe.warmup_epochs, decay_epochs=trial.recipe.decay_epochs)
        assert trial.data == DATA and trial.recipe.epochs == 3
    tried = {(rung.name, trial.recipe.lr, trial.seed) for trial, (rung,) in TRIALS.items()}
    assert tried == {(rung.name, rate, seed) for rung in RUNGS for rate in RATES[rung.recipe] for seed in range(2)}
    assert [trial.seed for trial in TRIALS] == [0] * 35 + [1] * 35
    assert {t.recipe.epochs for t in row_rate_trials("micro", DATA, RATES)} == {family("micro").modern.epochs}


def test_the_networks_of_the_short_comparison_share_their_trials():
    assert set(rate_trials("micro", DATA, RATES, epochs=3)) < set(TRIALS)


def test_a_rate_given_twice_is_tried_once():
    twice = {member: [*rates, *rates] for member, rates in RATES.items()}
    assert row_rate_trials("micro", DATA, twice) == row_rate_trials("micro", DATA, RATES)


def test_rows_that_coincide_share_trials():
    pair = FAMILIES["micro"]
    same = Family(pair.modern, pair.modern, pair.width_divisor, pair.stem_stride)
    trials = row_rate_trials(same, DATA, {"original": [0.002, 0.004], "modern": [0.002, 0.004]})
    assert len(trials) == 16 * 2
    shared = [[rung.name for rung in rungs] for rungs in trials.values() if len(rungs) > 1]
    assert shared == [["original_recipe", "enhanced_recipe"]] * 2
    table = row_rate_table(same, trials, {trial: outcome(50.0) for trial in trials})
    assert len(table) == 17 * 2


def test_the_grid_has_the_rate_of_the_recipe_in_the_middle():
    assert sorted(GRID) == list(GRID) and GRID[len(GRID) // 2] == 1 and len(GRID) == 5


def test_data_that_does_not_suit_is_refused():
    for name in ("digits", "digits#500"):
        with pytest.raises(AblationError, match="has no held-out images"):
            row_rate_trials("micro", name, RATES)
    with pytest.raises(AblationError, match="smallest that works is 32 px"):
        row_rate_trials("paper", DATA, RATES)


def test_a_ladder_at_own_rates_differs_in_them_alone():
    one, own = ladder_trials("micro", "digits", range(2)), ladder_trials("micro", "digits", range(2), rates=OWN)
    assert [rung.name for rung in one.values()] == [rung.name for rung in own.values()]
    for (before, rung), after in zip(one.items(), own, strict=True):
        assert after == dataclasses.replace(before, recipe=before.recipe.replace(lr=OWN[rung.name]))
    usual = {rung.name: getattr(family("micro"), rung.recipe).lr for rung in RUNGS}
    assert [trial.key("") for trial in ladder_trials("micro", "digits", range(2), rates=usual)] == [
        trial.key("") for trial in one
    ]


def test_rates_of_rungs_that_are_missing_or_unknown_are_refused():
    with pytest.raises(AblationError, match="16 rungs, and none for gelu"):
        ladder_trials("micro", "digits", [0], rates={name: rate for name, rate in OWN.items() if name != "gelu"})
    with pytest.raises(AblationError, match="unknown rung 'gleu'; did you mean 'gelu'"):
        ladder_trials("micro", "digits", [0], rates=OWN | {"gleu": 0.1})
    with pytest.raises(AblationError, match="lr nan"):
        ladder_trials("micro", "digits", [0], rates=OWN | {"gelu": float("nan")})


@pytest.fixture(scope="module")
def table():
    better = {trial: trial.recipe.lr == OWN[rung.name] for trial, (rung,) in TRIALS.items()}
    return row_rate_table("micro", TRIALS, {trial: outcome(60.0 + better[trial]) for trial in TRIALS})


def test_a_file_gives_the_best_rate_of_each_row(table, tmp_path):
    table.to_csv(tmp_path / "rates.csv", index=False)
    assert read_rates(tmp_path / "rates.csv", "micro") == OWN
    text = (tmp_path / "rates.csv").read_text()
    (tmp_path / "sheet.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("True", "TRUE").replace("\n", "\r\n").encode())
    assert read_rates(tmp_path / "sheet.csv", "micro") == OWN, "saved by a spreadsheet"


def changed(table, rung, column, value):
    return table.assign(**{column: table[column].astype(object).mask(table["rung"] == rung, value)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["rung"] != "gelu"], "has no best rate for gelu. `ablation rates --every-row` writes one"),
        (lambda t: changed(t, "gelu", "best", False), "has no best rate for gelu"),
        (lambda t: changed(t, "gelu", "best", True), r"row \d+: lr 0.004 is best for gelu, and so is 0.002 above"),
        (lambda t: changed(t, "gelu", "rung", "gleu"), "unknown rung 'gleu'; did you mean 'gelu'"),
        (lambda t: changed(t, "gelu", "lr", 0), "lr '0' must be a number above 0"),
        (lambda t: changed(t, "gelu", "lr", "fast"), "lr 'fast' must be a number above 0"),
        (lambda t: changed(t, "gelu", "recipe", "small32-modern"), "'small32-modern'; this ladder .* 'micro-modern'"),
        (
            lambda t: changed(t, "gelu", "init_gain", 2.0),
            "gelu was trained with init_gain 2; recipe 'micro-modern' has 1",
        ),
        (lambda t: t.assign(width_divisor=4), "its ladder has width_divisor '4', this one has '8'"),
        (lambda t: t.assign(start="resnet200"), "its ladder has start 'resnet200', this one has 'resnet50'"),
        (
            lambda t: t.drop(columns="at_edge"),
            "has no column 'at_edge': expected a file that `ablation rates --every-row`",
        ),
    ],
)
def test_another_file_is_refused_with_one_message(table, tmp_path, change, message):
    change(table).to_csv(tmp_path / "rates.csv", index=False)
    with pytest.raises(AblationError, match=message) as error:
        read_rates(tmp_path / "rates.csv", "micro")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("content", [b"", b"\x89PNG\xff", b'rung,lr\n"', b"rung,lr\ngelu,1\n"])
def test_what_is_no_such_file_is_refused(tmp_path, content):
    (tmp_path / "rates.csv").write_bytes(content)
    with pytest.raises(AblationError, match=r"rates.csv"):
        read_rates(tmp_path / "rates.csv", "micro")
    for missing in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(AblationError, match="cannot read"):
            read_rates(missing, "micro")


def test_a_file_that_was_cut_is_refused(table, tmp_path):
    table.to_csv(tmp_path / "rates.csv", index=False)
    text = (tmp_path / "rates.csv").read_text()
    (tmp_path / "rates.csv").write_text(text[: text.rindex(",micro-modern,") + 20])
    with pytest.raises(AblationError, match=r"row 70, does not have as many fields as there are columns"):
        read_rates(tmp_path / "rates.csv", "micro")
