"""The text of the course has none of the phrases that its readers stumbled over; code and quotations of it are not searched."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
EXERCISES = "notebooks/exercises/source/*/*.ipynb"
FILES = sorted(
    file
    for pattern in ("README.md", "figures/README.md", "docs/*.md", "notebooks/*.md", "notebooks/*.ipynb", EXERCISES)
    for file in ROOT.glob(pattern)
)

# Pages whose text has not been edited yet; empty these lists as it is.
NOT_YET = (
    "README.md",
    "figures/README.md",
    "docs/machines.md",
)
NOT_YET_EXERCISES: tuple[str, ...] = ()

THINGS = "block|byte|cell|channel|epoch|image|layer|minute|notebook|patch|position|second|stage|step"
PER = "MACs|blocks?|filters?|images?|layers?|numbers|norms|activations|percent|points|positions|products|steps|values|weights"
PATTERNS = {
    "dear, dearer": r"\bdear(?:er|est)?\b",  # expensive
    "puts out, put out": r"\bput(?:s|ting)? out\b",  # outputs
    "held equal to": r"\bheld equal\b",  # checked against
    "beside": r"\bbeside\b",  # compared with
    "a position, an image": rf"\b(?:{PER}) an? (?:{THINGS})\b",  # per
    "is no multiply-accumulate": r"\bno multiply-accumulates?\b(?! more)",  # adds no MACs
    "said to": r"\b(?:is|are|was|were) said to\b",  # is known to, is labelled
    "hears of": r"\bhears? of\b",  # is influenced by
    "to take along": r"\bto take along\b",  # key takeaways
    "gets, gives": r"\bgets?\b[^.|]*\bgives?\b|\bwhat (?:it|each \w+|a norm) (?:gets|gives)\b",  # input, output
    "asks": r"\basks\b",  # except for people: write "ask us", "want to know"
    "stands": r"\bstands\b",  # is
    "is believed": r"\b(?:is|are|not) believed\b",  # is trusted
    "of seeds on": r"\bfrom no\b",  # never
    "born, newborn": r"\b(?:new)?born\b",  # untrained
    "what it takes for": r"\bwhat it takes for an answer\b",  # counts as
    "comes out against": r"\bcomes? out against\b",  # contradicts
    "pays, buys": r"\bone that pays\b|\bone that buys\b|\bno longer pays\b",  # gains
    "minds": r"\bwhich of them minds\b|\bminds\b",  # is sensitive to
}


def edited(file):
    """Return whether the text of a page has been edited, so that the patterns apply to it."""
    listed = NOT_YET_EXERCISES if "exercises" in file.parts else NOT_YET
    return not str(file.relative_to(ROOT)).startswith(listed)


def prose(text):
    """Return markdown without code, formulas and the targets of links."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)\s]+\)", "]", text)


def found(text):
    """Return the patterns found in a text, each with the words."""
    joined = " ".join(prose(text).split())
    return [(name, match.group()) for name, regex in PATTERNS.items() for match in re.finditer(regex, joined, re.I)]


def paragraphs(file):
    """Return the paragraphs of a page: sentences of two paragraphs are not joined."""
    text = file.read_text()
    if file.suffix == ".ipynb":
        text = "\n\n".join(c.source for c in nbformat.reads(text, as_version=4).cells if c.cell_type == "markdown")
    return re.split(r"\n\s*\n", text)


@pytest.mark.parametrize("file", list(filter(edited, FILES)), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_page_has_a_phrase_of_the_list(file):
    assert [hit for paragraph in paragraphs(file) for hit in found(paragraph)] == []


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("How much dearer does the network get?", "dear, dearer"),
        ("the channels that each block puts out", "puts out, put out"),
        ("written out and held equal to the library's", "held equal to"),
        ("a 7x7 kernel beside a window", "beside"),
        ("6.1 MACs a byte, three norms a block", "a position, an image"),
        ("and is no multiply-accumulate", "is no multiply-accumulate"),
        ("A seed is said to prove nothing", "said to"),
        ("every channel hears of every other", "hears of"),
        ("What to take along", "to take along"),
        ("what each norm gets and of what it gives", "gets, gives"),
        ("what a norm gives stays below one", "gets, gives"),
        ("Section 2.5 asks whether", "asks"),
        ("The window stands: columns 8 and 10", "stands"),
        ("A map that fails is not believed", "is believed"),
        ("80 % from no number of seeds on", "of seeds on"),
        ("the weights it was born with", "born, newborn"),
        ("which of them minds", "minds"),
    ],
)
def test_each_phrase_is_found(sentence, name):
    assert name in {hit for hit, _ in found(sentence)}


@pytest.mark.parametrize(
    "sentence",
    [
        "`--beside` is an option, and [a page](beside.md#stands) a link",
        "per position, and 1000 images per second",
        "It adds no MACs. Each step is a function of a position.",
        "A reader asked why; one of them answered. Outputs are put together.",
        "Standard deviations, outstanding, heard, the batch gets smaller. LayerNorm gives the same result.",
    ],
)
def test_ordinary_sentences_are_left_alone(sentence):
    assert found(sentence) == []


def test_the_pages_not_yet_edited_exist():
    assert {ROOT / name for name in NOT_YET} <= set(FILES)
