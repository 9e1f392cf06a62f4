"""What a text gives away about a numeric answer: the number itself, a rounding of it, or the side on which it lies."""

import re
from collections.abc import Mapping

SCALES = {"": 1, "k": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "G": 1e9, "billion": 1e9}
NUMBER = re.compile(
    r"(?<![\w.-])(-?(?:\d{1,3}(?:[,_' \u2009\u202f]\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"(?: ?(k|thousand|M|million|G|billion))?(?!\w)"
)
PRODUCT = re.compile(r"\d+ x \d+(?: x \d+)*")  # the size of a kernel or a map
SIZES = "high|low|large|small|big|great|little|much|many|few|long|short|wide|narrow|early|late"
COMPARED = "larger|smaller|higher|lower|greater|less|more|fewer|bigger|longer|shorter"
DIRECTION = re.compile(
    rf"\btoo (?:{SIZES})\b|\b(?:{COMPARED}) than (?:(?:the|your) )?"
    r"(?:answer|right|correct|expected|accepted|true|actual|it should)"
    r"|\b(?:increase|decrease|raise|reduce) (?:it|your|the answer)\b|\b(?:over|under)estimate",
    re.I,
)


def numbers(text):
    """Return the numbers of a text as pairs: the value, and the half of its last digit that is not zero."""
    found = []
    for digits, unit in NUMBER.findall(PRODUCT.sub("", text)):
        plain = re.sub(r"[,_' \u2009\u202f]", "", digits)
        mantissa, _, exponent = plain.partition("e")
        shown = mantissa.partition(".")[2]
        zeros = 0 if shown else len(mantissa) - len(mantissa.rstrip("0"))
        last = 10.0 ** (zeros - len(shown) + int(exponent or 0))
        found.append((float(plain) * SCALES[unit], last * SCALES[unit] / 2))
    return found


def parts(answer):
    """Return the numbers that an answer consists of; a function or a word has none, the name of a step may have some."""
    if isinstance(answer, bool) or answer is None:
        return []
    if isinstance(answer, int | float):
        return [float(answer)]
    if isinstance(answer, Mapping):
        return [part for value in answer.values() for part in parts(value)]
    if isinstance(answer, list | tuple | set):
        return [part for value in answer for part in parts(value)]
    name = getattr(answer, "name", "")
    return [float(number) for number in re.findall(r"(?<=[=,])\d+", name)]


def given_away(text, answer, given=None):
    """Return the numbers of a text that are, or round to, a part of the right answer and are not part of the given one.

    In an answer of several parts, 0 and 1 count only where all its parts follow each other: both are common in any text.
    """
    right, own = parts(answer), {value for value, _ in numbers(repr(given))} | set(parts(given))
    told = [(value, half) for value, half in numbers(text) if value not in own]
    values = [value for value, _ in told]
    if len(right) > 1 and any(values[i : i + len(right)] == right for i in range(len(values))):
        return right
    secret = [part for part in right if len(right) == 1 or part not in (0, 1)]
    return [value for value, half in told for part in secret if _is_rounded(value, half, part)]


def _is_rounded(value, half, part):
    """Whether a value is a part exactly, or rounded to two digits or more, in any of the units."""
    digits = abs(value) / (2 * half) if half else 0
    for scale in (1, 1e3, 1e6, 1e9) if abs(part) >= 10_000 else (1,):
        if value * scale == part or (digits >= 10 and abs(value * scale - part) <= half * scale * (1 + 1e-9)):
            return True
    return False


def directions(text):
    """Return the words of a text that say on which side a number is wrong."""
    return [match.group() for match in DIRECTION.finditer(text)]
