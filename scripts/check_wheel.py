"""Check that a wheel holds the front end, the page's template, its tables and the type marker.

One that holds a compiled kernel must be tagged for its platform, and one without it for all.

usage: check_wheel.py WHEEL
"""

import sys
import zipfile
from pathlib import Path

JS = Path(__file__).parents[1] / "js" / "src"
ALSO = [
    "explorer/py.typed",
    "explorer/published.csv",
    "explorer/structures.csv",
    "explorer/kernel/kernel.c",
    "explorer/share/jupyter/voila/templates/explorer/index.html.j2",
    "explorer/share/jupyter/voila/templates/explorer/conf.json",
]


def built() -> list[str]:
    """Return the names of all bundles: a program each, and a style sheet where it has one."""
    found = []
    for path in sorted(JS.glob("*/index.ts")):
        styled = '.css";' in path.read_text("utf-8")
        found += [f"{path.parent.name}.{kind}" for kind in (("js", "css") if styled else ("js",))]
    return found


def missing(wheel: Path) -> list[str]:
    """Return what should be in a wheel and is not."""
    wanted = [f"explorer/static/{name}" for name in built()] + ALSO
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    # The type marker is empty by definition; nothing else may be.
    return [name for name in wanted if name not in sizes or not (sizes[name] or name.endswith("py.typed"))]


def mistagged(wheel: Path) -> bool:
    """Return whether the name of a wheel tells other machines than those that can use it."""
    with zipfile.ZipFile(wheel) as archive:
        compiled = "explorer/kernel/kernel.so" in archive.namelist()
    tag = wheel.stem.partition("-py3-none-")[2]
    return not tag or (tag == "any") == compiled


if __name__ == "__main__":
    absent = missing(Path(sys.argv[1]))
    if absent:
        sys.exit(f"The wheel lacks {', '.join(absent)}.")
    if mistagged(Path(sys.argv[1])):
        sys.exit(f"{sys.argv[1]} is not tagged for what it holds.")
    print("The wheel holds all it should.")
