"""The project as it is shipped."""

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import explorer

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))


def test_public_names_are_sorted_and_all_there():
    assert explorer.__all__ == sorted(explorer.__all__)
    for name in explorer.__all__:
        assert getattr(explorer, name).__doc__
    with pytest.raises(AttributeError):
        _ = explorer.nothing


def test_import_stays_light():
    heavy = ["pandas", "numpy", "nibabel", "ipywidgets", "anywidget", "plotly", "pyarrow"]
    code = f"import sys, explorer; sys.exit(' '.join(m for m in {heavy!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_worker_needs_no_tables():
    code = "import sys, explorer.intake; sys.exit(' '.join(m for m in ('pandas', 'pyarrow', 'fsspec') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_nothing_heavy_is_loaded_before_a_chart_is_seen():
    code = "import sys, explorer.app; sys.exit(' '.join(m for m in ('plotly', 'dask', 'PIL') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_every_front_end_is_built():
    built = importlib.import_module("check_wheel").built()
    assert {"viewer.js", "viewer.css", "space.js"} <= set(built)
    for name in built:
        assert (ROOT / "explorer" / "static" / name).stat().st_size > 100


def test_bundles_are_small():
    """Every widget instance carries its bundle over the websocket."""
    sizes = {path.name: path.stat().st_size for path in (ROOT / "explorer" / "static").glob("*.js")}
    # The 3D program is not a widget's: it travels once, deflated, when 3D is first shown.
    assert sizes.pop("space.js") < 600_000
    assert max(sizes.values()) < 120_000


def test_a_wheel_without_its_front_end_is_noticed(tmp_path: Path):
    check = importlib.import_module("check_wheel")
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("explorer/py.typed", "")
        archive.writestr("explorer/static/viewer.js", "export default 1")
    assert "explorer/static/facets.js" in check.missing(wheel)
    assert "explorer/structures.csv" in check.missing(wheel)
    assert "explorer/static/viewer.js" not in check.missing(wheel)
    assert "explorer/py.typed" not in check.missing(wheel)


def test_dependencies_are_these_and_no_more():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = sorted(item.split(">")[0] for item in project["dependencies"])
    assert names == [
        *("anywidget", "click", "connected-components-3d", "deflate", "fast-simplification", "filelock"),
        *("fsspec", "ipython", "ipywidgets", "isal", "loky", "nibabel", "numpy", "pandas", "pillow"),
        *("platformdirs", "plotly", "pyarrow", "tqdm", "traitlets"),
    ]


def test_the_conda_environment_has_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["app"], *extras["remote"]]
    found = set(
        re.findall(
            r"- ([a-z0-9-]+(?:>=[\d.]+)?)$", (ROOT / "environment.yml").read_text("utf-8"), re.MULTILINE
        )
    )
    newest = {name: bound for name, _, bound in (item.partition(">=") for item in wanted)}
    lacking = {f"{n}>={bound}" for n, bound in newest.items()} - {
        item.removeprefix("python-") for item in found
    }
    assert not lacking
