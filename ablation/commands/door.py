"""The entrance of the command line: output that any terminal can show, and one message for each error that is not ours."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ..errors import AblationError

BAD_INPUT = 2


def run_command(command: Callable[[], object]) -> None:
    """Run a command. Invalid input, and what the system refuses, prints one message and exits with code 2.

    Args:
        command: the whole command line; may raise SystemExit.
    """
    _prepare_output()
    try:
        try:
            command()
        finally:
            sys.stdout.flush()  # here rather than at the end of the process, where a full disk would print a traceback
    except AblationError as error:
        _fail(str(error))
    except BrokenPipeError:
        _discard_output()
        sys.exit(1)  # as click and rich do: the reader, such as `head`, has read enough
    except MemoryError as error:
        _fail(f"not enough memory{f': {error}' if str(error) else ''}")
    except OSError as error:
        _discard_output()
        # Without a file name, it is the output: our own files are written by `files.write_atomically`.
        where = "write the output" if error.filename is None else f"use {os.fsdecode(error.filename)}"
        _fail(f"cannot {where}: {error.strerror or error}")


def _prepare_output() -> None:
    """Replace characters that the terminal cannot show, and discard the output where standard output is closed."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)


def _discard_output() -> None:
    """Let Python flush what could not be written to nowhere when the process ends; see the documentation of SIGPIPE."""
    with contextlib.suppress(OSError):  # standard output is no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> NoReturn:
    print(f"ablation: {message}", file=sys.stderr)
    sys.exit(BAD_INPUT)
