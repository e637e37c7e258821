"""The ``explorer`` command."""

import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from explorer._version import __version__
from explorer.errors import ExplorerError
from explorer.findings import printable

if TYPE_CHECKING:
    from explorer.dataset import Dataset
    from explorer.index import Index

EXIT_CODES = "Exit codes: 0 fine, 1 a problem in the data or the run, 2 wrong usage."

DATASET = click.argument("dataset", metavar="DATASET")
VERIFY = click.option(
    "--verify", is_flag=True, help="Read every case again, and say which are not as measured before."
)
STORE = click.option(
    "--store", metavar="DIR", help="Folder of the index; by default beside DATASET or in the cache."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
PORT = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the page; 0 takes a free one."
)
BROWSER = click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
THEME = click.option("--theme", type=click.Choice(["light", "dark"]), default="dark", help="Of the page.")
WORKERS = click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Worker processes; by default one per core, or none where the data are small.",
)


class Group(click.Group):
    """Commands whose errors are one clear message."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as in click
        """Run a command; an `ExplorerError` is told without a traceback."""
        try:
            return super().invoke(ctx)
        except ExplorerError as error:
            click.echo(f"Error: {printable(str(error))}", err=True)
            ctx.exit(1)


def _tell_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from explorer.kernel import is_compiled

    why = "EXPLORER_NO_KERNEL is set, or there was no C compiler when it was installed"
    how = "by compiled code" if is_compiled() else f"by numpy, which is slower: {why}"
    click.echo(f"explorer, version {__version__}\nMasks are measured {how}.")
    context.exit()


@click.group(cls=Group, epilog=EXIT_CODES)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version, and whether masks are measured by compiled code.",
)
def main() -> None:
    """Look into medical segmentation data sets.

    DATASET is a folder or zip (it is not unpacked) with meta.csv and one folder per case.
    """


@main.command(epilog=EXIT_CODES)
@click.option(
    "--cases", type=click.IntRange(1, 10_000), default=24, show_default=True, help="Cases to write."
)
@click.option("--dir", "folder", metavar="DIR", help="Where to write them; by default the user's cache.")
@PORT
@BROWSER
@THEME
def demo(cases: int, folder: str | None, port: int, browser: bool, theme: str) -> None:
    """Show a synthetic data set; it is written once and used again."""
    import platformdirs

    from explorer.dataset import open_dataset
    from explorer.index import build_index

    cache = Path(platformdirs.user_cache_dir("totalseg-explorer"))
    target = Path(folder) if folder else cache / f"phantom-{cases}-{__version__}"
    if not (target / "meta.csv").exists():
        from explorer.phantom import write_phantom

        write_phantom(target, cases)
    build_index(open_dataset(target))
    _serve(str(target), None, port=port, browser=browser, theme=theme)


@main.command(epilog=EXIT_CODES)
@DATASET
@STORE
@PORT
@BROWSER
@THEME
@click.option(
    "--masks",
    multiple=True,
    metavar="NAME=PATH",
    help="Other masks of the same cases, to be shown and compared; may be given several times.",
)
def serve(
    dataset: str, store: str | None, port: int, browser: bool, theme: str, masks: tuple[str, ...]
) -> None:
    """Show DATASET as a page; the index is built in the background where it is missing."""
    from explorer.dataset import open_dataset

    opened = open_dataset(dataset)
    sets = {}
    for given in masks:
        name, _, place = given.partition("=")
        if not name or not place:
            raise click.BadParameter(f"{given!r} is not NAME=PATH.", param_hint="--masks")
        opened = opened.with_mask_set(name, place)
        sets[name] = place
    _serve(dataset, store, port=port, browser=browser, theme=theme, mask_sets=sets)


@main.command(epilog=EXIT_CODES)
@DATASET
@STORE
@WORKERS
@VERIFY
@JSON
def index(dataset: str, store: str | None, workers: int | None, verify: bool, as_json: bool) -> None:
    """Measure every case that is new or changed."""
    gc.set_threshold(100_000)  # there is a record of each file, and none is garbage
    import pyarrow.compute as pc

    from explorer.dataset import open_dataset
    from explorer.index import update_index
    from explorer.store import read_tables, store_of

    opened = open_dataset(dataset)
    folder = store_of(opened, store or None)
    with _stoppable():
        done = update_index(opened, folder, workers=workers, verify=verify)
    tables = read_tables(folder, ("cases", "structures"))
    cases, structures = tables["cases"], tables["structures"]
    bad = cases.filter(pc.greater(pc.list_value_length(cases["problems"]), 0))["case"].to_pylist()
    summary = {
        "store": str(folder),
        "cases": len(cases),
        "measured": done.measured,
        "kept": done.kept,
        "seconds": round(done.seconds, 3),
        "differed": list(done.differed),
        "structures": pc.count_distinct(structures["structure"]).as_py(),
        "masks": pc.sum(pc.greater(structures["voxels"], 0)).as_py() or 0,
        "cases_with_problems": bad,
    }
    if as_json:
        _print_json(summary)
        return
    click.echo(f"{summary['cases']} cases, {summary['masks']} masks that are not empty, in {folder}")
    click.echo(f"{done.measured} measured in {done.seconds:.1f} s, {done.kept} unchanged")
    if verify and not done.differed:
        click.echo("Nothing differs from an earlier measurement.")
    _tell_differed(done.differed)
    if bad:
        click.echo(f"{len(bad)} cases with problems: run `explorer check {dataset}`.", err=True)


@main.command(epilog=EXIT_CODES)
@DATASET
@STORE
@click.option(
    "--all-masks", is_flag=True, help="Volumes of cut-off structures too, as in the published table."
)
@JSON
def stats(dataset: str, store: str | None, all_masks: bool, as_json: bool) -> None:
    """Print the label table and the resolution table."""
    from explorer.cohort import Cohort
    from explorer.dataset import open_dataset

    opened = open_dataset(dataset)
    built = _index(opened, store)
    cohort = Cohort.join(opened.meta, built.cases, built.structures)
    labels = cohort.label_table(complete_only=not all_masks)
    resolution = cohort.resolution_table()
    if as_json:
        _print_json(
            {
                "cases": cohort.size,
                "complete_only": not all_masks,
                "labels": json.loads(labels.to_json(orient="records")),
                "resolution": json.loads(resolution.to_json(orient="index")),
                "slices": cohort.slices(),
            }
        )
        return
    which = "every mask that is not empty" if all_masks else "complete structures only"
    click.echo(f"{cohort.size} cases; volumes in ml of {which} (n)\n")
    names = labels["structure"].map(printable)
    shown = labels.assign(structure=names, percentage=labels["percentage"].map("{:.2f}%".format))
    click.echo(shown.to_string(index=False, float_format="{:.2f}".format, na_rep="-"))
    click.echo("\nSpacing in mm and size in voxels, along the axes as stored\n")
    click.echo(resolution.to_string(float_format="{:.2f}".format, na_rep="-"))
    click.echo(f"\nSlices along the last axis: {cohort.slices():,}")


@main.command(epilog=EXIT_CODES)
@DATASET
@STORE
@WORKERS
@VERIFY
@click.option("--all", "every", is_flag=True, help="Show every finding, not the first ten of a kind.")
@click.option("--published", is_flag=True, help="List the publication's figures beside those found.")
@JSON
def check(
    dataset: str,
    store: str | None,
    workers: int | None,
    verify: bool,
    every: bool,
    published: bool,
    as_json: bool,
) -> NoReturn:
    """Tell whether DATASET can be trusted; exit 1 when there are errors.

    Files, geometry, masks, meta.csv, and the figures of the publication where it is a published
    data set. Warnings and notes alone are no failure. The JSON has everything.
    """
    from explorer import checks, publication
    from explorer.dataset import open_dataset
    from explorer.listing import findings_text, published_text

    opened = open_dataset(dataset)
    built = _index(opened, store, workers=workers, verify=verify)
    _tell_differed(built.summary.differed if built.summary else ())
    found = checks.check(opened, built)
    known = checks.recognise(opened, built)
    key = known.version.key if known.version else None
    figures = publication.compare(checks.cohort_of(opened, built), key)
    if as_json:
        _print_json(
            {
                "cases": len(opened),
                "version": {
                    "key": key,
                    "title": known.version.title if known.version else None,
                    "doi": known.version.doi if known.version else None,
                    "sure": known.sure,
                    "why": known.why,
                },
                "counts": {name: sum(f.severity == name for f in found) for name in checks.SEVERITIES},
                "findings": checks.frame(found).to_dict("records"),
                "published": json.loads(figures.to_json(orient="records")),
            }
        )
    else:
        title = known.version.title if known.version else "No published data set"
        click.echo(f"{title} ({known.sure}): {known.why}")
        printed = figures["same"].notna()
        if printed.any():
            same = int(figures["same"].eq(True).sum())
            hint = "" if published else "; --published lists them"
            click.echo(f"{same} of {printed.sum()} published figures are reproduced{hint}")
        click.echo(findings_text(found, len(opened), every=every))
        if published:
            click.echo(f"\nFound and published figures\n\n{published_text(figures)}")
    sys.exit(1 if any(finding.severity == "error" for finding in found) else 0)


def _index(dataset: "Dataset", store: str | None, **options: Any) -> "Index":  # noqa: ANN401
    from explorer.index import build_index

    with _stoppable():
        return build_index(dataset, store, **options)


def _tell_differed(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"Not as measured before: {printable(line)}", err=True)


@contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped. What was measured is kept: the same command goes on from there.", err=True)
        sys.exit(1)


def _serve(dataset: str, store: str | None, **options: Any) -> None:  # noqa: ANN401
    run: Callable[..., None]
    from explorer.serve import serve as run

    run(dataset, store, say=click.echo, **options)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1, allow_nan=False))


if __name__ == "__main__":
    main()
