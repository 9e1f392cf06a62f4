"""`ablation study`: train every network of a design and print its effects."""

from __future__ import annotations

from .. import data as datasets
from ..design.recipes import family
from ..design.trial import MAX_TRIALS
from ..errors import AblationError, check_number, unknown
from ..evidence.accuracies import accuracies, diverged_seeds
from ..evidence.effects import tables
from ..evidence.presence import presence
from ..files import writable_folder, write_atomically
from ..show.tables import text_table, with_intervals
from ..study import designs
from ..study.design_sizes import count_networks
from ..study.ladder import check_seeds
from ..study.study import Study
from .console import data_label, make_console, say, write_presence
from .options import StudyOptions
from .progress import print_scaled, run_with_progress
from .room import check_study
from .run_roadmap import run_roadmap

LADDER, GRID = "ladder", "grid"
_LEFT_OUT = ("seeds", "std_points", "title")  # where a terminal is too narrow for them


def run_study(design: str, steps: list[str], count: int, options: StudyOptions) -> None:
    """Train every network of a design, print its tables of results, and write each table as CSV.

    Args:
        design: "ladder", which is `ablation roadmap`, or a name in `designs.DESIGNS`; a grid is run by `run_grid`.
        steps: steps that are varied; empty for those that the paper kept.
        count: number of random orders, for the design "orderings".
        options: options of the study.
    """
    if design == LADDER:
        if steps:
            raise AblationError("design 'ladder' is the road of the paper and takes no steps; the other designs do")
        run_roadmap(options)
        return
    if design not in designs.DESIGNS:
        raise unknown("design", design, (LADDER, *designs.DESIGNS, GRID))
    data, start = options.data, options.start
    info, pair = datasets.info(data), options.recipes
    if options.rates is not None:
        raise AblationError(f"--rates {options.rates} is for the design ladder: only its rows have rates of their own")
    varied = steps or designs.default_steps(start)
    if design != "factorial" or len(varied) <= designs.MAX_FACTORIAL_STEPS:  # of which the design tells more
        networks = count_networks(design, varied, count)
        reason = f": {networks:,} networks with {options.seeds:,} seeds each"
        check_number("trials", networks * options.seeds, 1, MAX_TRIALS, whole=True, reason=reason)
    chosen = designs.design(design, steps or None, start, pair.width_divisor, pair.stem_stride, count)
    trials = designs.trials(chosen, pair, data, check_seeds(options.seeds))
    check_study(options, trials, info)
    writable_folder(options.out)
    labels = {trial: point.title for trial, point in trials.items()}
    study = Study(labels, options.store, options.engine, run_options=options.run_options, **options.engine_options)
    console = make_console()
    print_scaled(options.changes, (family(options.recipe).modern,), console)
    outcomes = run_with_progress(study, console, options.workers)
    measured = accuracies(chosen, pair, data, outcomes)
    diverged = diverged_seeds(chosen, pair, data, outcomes)
    missing = "; ".join(f"{name}, seed {' '.join(map(str, seeds))}" for name, seeds in diverged.items())
    stem = f"study-{design}-{options.file_label(data_label(data, start))}"
    for title, table in tables(chosen, measured).items():
        if "point" in table:
            table["diverged"] = [len(diverged.get(name, ())) for name in table["point"]]
        heading = f"{title}: {design} on {options.data_title}, recipe {options.recipe_title}, {options.seeds} seeds"
        console.print(text_table(heading, with_intervals(table), _LEFT_OUT))
        if missing:
            say(console, f"diverged, and missing above: {missing}")
        file = options.out / f"{stem}-{title.lower().replace(' ', '-')}.csv"
        write_atomically(file, table.to_csv(index=False))
        say(console, f"wrote {file}")
    say(
        console,
        "±: half-width of the 95 % interval; of effects, from the standard deviation within a network that all networks share, "
        "of points from their own seeds. p_holm: corrected by Holm for all rows of a table. smallest_effect: found with 80 % "
        "power. n: fewest seeds of a network that the row rests on.",
    )
    write_presence(options.out / stem, presence({point.name: point.steps for point in chosen}, measured), console)
    if info.note:
        say(console, info.note, style="bold")
