"""What `torch.compile` raises where it cannot work, as one message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import AblationError, first_line


@contextmanager
def explain_compiler(compiled: bool) -> Iterator[None]:
    """Translate the errors of the compiler, which works when the network sees its first images: before any step is taken.

    Args:
        compiled: whether the network is compiled at all.

    Raises:
        AblationError: if it cannot be compiled here, such as on a CPU without a C++ compiler.
    """
    if not compiled:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        raise AblationError(
            f"torch.compile could not compile the network on this machine ({first_line(error)}): train without --compile"
        ) from error
