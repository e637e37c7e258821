"""The notebooks run from top to bottom, are small, and carry no outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from explorer import write_phantom

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs_and_small(path: Path):
    notebook = nbformat.read(path, 4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    assert path.stat().st_size < 12_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_phantom(tmp_path / "set", 2, progress=False)
    monkeypatch.setenv("EXPLORER_DATASET", str(tmp_path / "set"))
    notebook = nbformat.read(path, 4)
    checks = {
        "explore": "assert app.selection.everything.size == 2 and app.viewer.error == ''",
        "cohort": f"assert index.store.samefile({str(tmp_path / 'set.explorer')!r}) and viewer.error == ''",
    }
    notebook.cells.append(nbformat.v4.new_code_cell(checks[path.stem]))
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
