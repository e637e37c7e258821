"""Every error that ``explorer`` raises on purpose.

::

    ExplorerError
    ├── DatasetError   not a data set; metadata malformed
    ├── VolumeError    unreadable image or mask; foreign grid
    ├── StoreError     absent, of another data set, another schema
    ├── QueryError     where in the text, and what was expected
    ├── PredictError   segmenter not installed, failed, cancelled
    └── UnknownName    also a KeyError; ends with "Did you mean 'kidney_left'?"

A message says what was wrong, with the value, where we looked, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ExplorerError(Exception):
    """Base of all errors of this package."""


class _FileError(ExplorerError):
    """Something about files, which may become a finding.

    Parameters
    ----------
    message
        What was wrong.
    kind
        The key of `explorer.findings.KINDS` under which it is reported.
    """

    def __init__(self, message: str, kind: str = "unreadable") -> None:
        super().__init__(message, kind)  # both, so that it pickles
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[0])


class DatasetError(_FileError):
    """A path is not a data set, or its folders or its metadata cannot be read."""


class VolumeError(_FileError):
    """An image or mask cannot be read, or lies on another grid than its image."""


class StoreError(ExplorerError):
    """An index is absent, belongs to another data set, or has another schema."""


class QueryError(ExplorerError):
    """A query or a restored state is not understood."""


class PredictError(ExplorerError):
    """A segmenter is not installed, failed or was cancelled."""


class UnknownName(ExplorerError, KeyError):  # noqa: N818 - the name is public
    """A case, structure or column that is not there.

    Parameters
    ----------
    what
        The kind of thing, such as ``"structure"``.
    name
        The name that was asked for.
    known
        The names there are; the nearest is suggested.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(str(name), names, n=1, cutoff=0.5)
        message = f"No {what} {name!r} among {len(names)}."
        if near:
            message += f" Did you mean {near[0]!r}?"
        super().__init__(message)
        self.what = what
        self.name = name

    def __str__(self) -> str:
        # KeyError would show the repr of the message.
        return str(self.args[0])
