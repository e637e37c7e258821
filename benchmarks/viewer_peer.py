"""The same case in ipyniivue, in the same JupyterLab and the same browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nibabel as nib
import numpy as np
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as LateError
from viewer_figures import INIT

KERNEL_IDLE = (
    "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
)
CANVAS = ".jp-OutputArea-output canvas"

CELL = """
from pathlib import Path
from ipyniivue import NiiVue
peer = NiiVue(height=700)
def open_case(folder):
    peer.load_volumes([
        {"path": str(Path(folder) / "mri.nii.gz")},
        {"path": str(Path(folder) / "labels.nii.gz"), "colormap": "random", "opacity": 0.5},
    ])
peer
"""
"""Three planes and labels; both files are handed over as they are, as its documentation does."""


def write_labels(case: Path) -> None:
    """Write the masks of a case as the one label map that ipyniivue takes, later ones on top."""
    image = nib.load(case / "mri.nii.gz")
    labels = np.zeros(image.shape, np.uint8)
    for number, path in enumerate(sorted((case / "segmentations").iterdir()), start=1):
        labels[np.asarray(nib.load(path).dataobj) > 0] = number
    nib.save(nib.Nifti1Image(labels, image.affine), case / "labels.nii.gz")


@contextmanager
def shown(browser: Browser, address: str, notebook: str) -> Iterator[Page]:
    """Show a notebook of JupyterLab with all cells run, the page's own measures ready."""
    from servers import READY_MS

    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(READY_MS)
    page.add_init_script(INIT)
    try:
        page.goto(f"{address}/doc/tree/{notebook}?reset", wait_until="domcontentloaded")
        try:
            page.wait_for_function(KERNEL_IDLE, timeout=READY_MS / 3)
        except LateError:  # JupyterLab may miss a kernel whose page was closed just before
            page.reload(wait_until="domcontentloaded")
            page.wait_for_function(KERNEL_IDLE)
        page.add_style_tag(content=".jp-toastContainer { display: none }")
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        yield page
    finally:
        page.close()


def wait_ready(page: Page) -> None:
    """Wait until the widget is there and the kernel has done all cells."""
    page.wait_for_selector(".jp-OutputArea-output canvas")
    page.wait_for_function(KERNEL_IDLE)
    page.wait_for_timeout(1500)
