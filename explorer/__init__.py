"""Look into medical segmentation data sets: browse, view and measure them, in Jupyter and Voila.

Names are loaded when they are first used, so that ``import explorer`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from explorer._version import __version__ as __version__

if TYPE_CHECKING:
    from explorer.app import Explorer
    from explorer.case import Case
    from explorer.cohort import Between, Cohort, Has, OneOf
    from explorer.dataset import Dataset, open_dataset
    from explorer.index import build_index, open_index
    from explorer.itk import open_in_itkwidgets
    from explorer.phantom import write_phantom
    from explorer.selection import Selection
    from explorer.surface_files import export_surfaces

_HOME = {
    "Between": "cohort",
    "Case": "case",
    "Cohort": "cohort",
    "Dataset": "dataset",
    "Explorer": "app",
    "Has": "cohort",
    "OneOf": "cohort",
    "Selection": "selection",
    "build_index": "index",
    "export_surfaces": "surface_files",
    "open_dataset": "dataset",
    "open_in_itkwidgets": "itk",
    "open_index": "index",
    "write_phantom": "phantom",
}

__all__ = [
    "Between",
    "Case",
    "Cohort",
    "Dataset",
    "Explorer",
    "Has",
    "OneOf",
    "Selection",
    "build_index",
    "export_surfaces",
    "open_dataset",
    "open_in_itkwidgets",
    "open_index",
    "write_phantom",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name may be asked for
    if name not in _HOME:
        raise AttributeError(f"module 'explorer' has no attribute {name!r}")
    return getattr(import_module(f"explorer.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
