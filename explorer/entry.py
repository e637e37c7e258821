"""One name in a folder, wherever the folder lies."""

from typing import NamedTuple

MAX_FILE_BYTES = 4 * 2**30
"""A file that is larger, or a member of a zip that declares more, is not read; the largest published scan
has half of that unpacked."""


class Entry(NamedTuple):
    """One name in a folder.

    Attributes
    ----------
    name
        Without its folder.
    is_dir
        Whether it is a folder.
    size
        Bytes; 0 for a folder.
    stamp
        Changes when the content does: modification time, ETag, or the CRC in a zip.
    odd
        Whether its name is not UTF-8. It is then shown with escapes, and cannot be read.
    """

    name: str
    is_dir: bool
    size: int
    stamp: str
    odd: bool = False
