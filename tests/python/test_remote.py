import io
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import loky
import pandas as pd
import pytest
from range_server import serving
from samples import box_mask

from explorer import build_index, network, open_dataset, remote
from explorer import cache as cache_module
from explorer.cache import LIMIT_GIB, DiskCache, default_cache
from explorer.errors import DatasetError, VolumeError
from explorer.files import open_files
from explorer.network import redacted

LIVER = {"liver": box_mask((1, 3), (2, 4), (3, 5))}
MASKS = 20


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No proxy, a cache of its own, and little patience."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(network, "FIRST_WAIT_S", 0.01)


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXPLORER_CACHE_GIB", "0")


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def big_zip(
    cases: int = 12, image_bytes: int = 400_000, mask_bytes: int = 8_000, seed: int = 0
) -> tuple[bytes, list[int]]:
    """Return a zip of cases that do not compress, and the bytes of each case's files."""
    buffer = io.BytesIO()
    costs = []
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("meta.csv", "image_id;split\n")
        for case in range(cases):
            archive.writestr(f"s{case:04d}/mri.nii.gz", noise(image_bytes, seed + case))
            for mask in range(MASKS):
                archive.writestr(f"s{case:04d}/segmentations/m{mask:02d}.nii.gz", noise(mask_bytes, mask))
            costs.append(image_bytes + MASKS * mask_bytes)
    return buffer.getvalue(), costs


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def read_case(files, case: str) -> dict[str, bytes]:
    folder = f"{case}/segmentations"
    paths = [f"{case}/mri.nii.gz", *(f"{folder}/{entry.name}" for entry in files.ls(folder))]
    return {path: files.read(path) for path in paths}


def unpacked(data: bytes, case: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.startswith(case)}


def test_a_case_costs_its_own_bytes_and_the_directory_once_over_one_connection(no_cache):
    data, costs = big_zip()
    directory = data.rindex(b"PK\5\6") - data.index(b"PK\1\2")
    with serving({"/set.zip": data}, needs_agent=True) as site:
        files = open_files(f"{site.url}/set.zip")
        assert [entry.name for entry in files.ls("s0003")] == ["mri.nii.gz", "segmentations"]
        assert len(site.requests) <= 3
        assert directory <= site.body_bytes <= max(directory, 65_557) + 22
        for case in ("s0003", "s0004", "s0009"):
            site.forget()
            assert read_case(files, case) == unpacked(data, case)
            assert costs[0] <= site.body_bytes <= 1.2 * costs[0]
            assert len(site.requests) <= 3
        assert site.connections == 1


def test_one_member_costs_no_more_than_its_own_block(no_cache):
    data, _ = big_zip()
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.forget()
        files.read("s0002/mri.nii.gz")
        assert site.body_bytes <= 400_000 + 500
        site.forget()
        files.read("s0002/segmentations/m03.nii.gz")
        files.read("s0002/segmentations/m19.nii.gz")
        assert site.body_bytes <= MASKS * 8_200
        assert len(site.requests) == 1


def test_blocks_are_bounded_and_large_members_come_in_pieces(no_cache, monkeypatch):
    monkeypatch.setattr("explorer.archive.BLOCK_BYTES", 50_000)
    monkeypatch.setattr(remote, "PIECE_BYTES", 100_000)
    data, _ = big_zip(2)
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.forget()
        assert read_case(files, "s0001") == unpacked(data, "s0001")
        sizes = [int(b) - int(a) + 1 for _, _, asked in site.gets for a, b in [asked[6:].split("-")]]
        assert max(sizes) <= 100_000
        assert sorted(sizes)[0] <= 50_000
        assert sum(sizes) <= 1.2 * (400_000 + MASKS * 8_000)


def test_a_directory_longer_than_the_tail_is_read_once(no_cache):
    data, _ = big_zip(100, 100, 10)
    directory = data.rindex(b"PK\5\6") - data.index(b"PK\1\2")
    assert directory > 2 * 65_557
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip")
        assert len(files.ls("s0099/segmentations")) == MASKS
        assert site.body_bytes == directory + 22
        assert len(site.gets) == 2


def test_what_was_loaded_is_kept_on_disk_and_damage_there_is_noticed(tmp_path):
    data, _ = big_zip(3)
    with serving({"/set.zip": data}) as site:
        first = read_case(open_files(f"{site.url}/set.zip"), "s0001")
        site.forget()
        assert read_case(open_files(f"{site.url}/set.zip"), "s0001") == first
        assert site.body_bytes == 0
        assert [request[0] for request in site.requests] == ["HEAD"]
        for path in (tmp_path / "cache").rglob("*"):
            if path.is_file():
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                path.write_bytes(content)
        assert read_case(open_files(f"{site.url}/set.zip"), "s0001") == first
        assert site.body_bytes > 400_000


def test_another_etag_is_another_file(no_cache):
    old, _ = big_zip(2)
    with serving({"/set.zip": old}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.etag = '"2"'
        with pytest.raises(VolumeError, match="has changed since it was opened") as caught:
            files.read("s0000/mri.nii.gz")
        assert caught.value.kind == "changed"
        assert len(open_files(f"{site.url}/set.zip").read("s0000/mri.nii.gz")) == 400_000


@pytest.mark.parametrize("etag", ['"1"', ""])
def test_another_length_is_another_file(no_cache, etag):
    data, _ = big_zip(2)
    with serving({"/set.zip": data}, etag=etag) as site:
        files = open_files(f"{site.url}/set.zip")
        site.files["/set.zip"] = big_zip(3)[0]
        with pytest.raises(VolumeError, match="has changed since it was opened"):
            files.read("s0000/mri.nii.gz")


def test_a_change_that_only_the_bytes_tell_is_called_a_change(no_cache):
    memory = fsspec.filesystem("memory")
    memory.pipe("/changing/set.zip", big_zip(2)[0])
    files = open_files("memory://changing/set.zip")
    memory.pipe("/changing/set.zip", bytes(len(big_zip(2)[0])))
    with pytest.raises(VolumeError, match="has changed since it was opened"):
        files.read("s0000/mri.nii.gz")


def test_an_object_that_got_shorter_is_named(no_cache):
    memory = fsspec.filesystem("memory")
    memory.pipe("/shorter/set.zip", big_zip(2)[0])
    files = open_files("memory://shorter/set.zip")
    memory.pipe("/shorter/set.zip", b"PK" * 500)
    with pytest.raises(VolumeError, match=r"bytes came instead of 400,\d\d\d; tried 5 times"):
        files.read("s0001/mri.nii.gz")


def test_a_new_version_is_never_served_from_the_cache():
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        old = open_files(f"{site.url}/set.zip").read("s0000/mri.nii.gz")
        site.files["/set.zip"], site.etag = big_zip(2, seed=7)[0], '"2"'
        new = open_files(f"{site.url}/set.zip").read("s0000/mri.nii.gz")
        assert (old, new) == (noise(400_000, 0), noise(400_000, 7))


def test_bytes_that_are_not_the_members_are_refused(no_cache):
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.mishaps = ["garble"]
        with pytest.raises(VolumeError, match=r"'s0000/mri.nii.gz' in .* is damaged") as caught:
            files.read("s0000/mri.nii.gz")
        assert caught.value.kind == "zip_damaged"


def test_a_server_that_ignores_ranges_is_refused_before_it_sends_all(no_cache):
    data = bytes(40_000_000)
    with serving({"/set.zip": data}, ranges=False) as site:
        with pytest.raises(DatasetError, match=r"ignores byte ranges.*Fetch it once"):
            open_files(f"{site.url}/set.zip")
        assert site.body_bytes < len(data) // 4
        assert len(site.gets) == 1


@pytest.mark.parametrize("mishap", [429, 503, 500, (503, "0"), "break", "stall"])
def test_what_passes_is_tried_again(no_cache, monkeypatch, mishap):
    monkeypatch.setattr(network, "STALL_S", 0.3)
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.mishaps = [mishap, mishap]
        site.forget()
        assert files.read("s0001/mri.nii.gz") == noise(400_000, 1)
        assert len(site.gets) == 3


def test_trouble_while_opening_is_tried_again(no_cache):
    with serving({"/set.zip": big_zip(2)[0]}, mishaps=[503, "break"]) as site:
        assert len(open_files(f"{site.url}/set.zip").ls("")) == 3


@pytest.mark.parametrize("mishap", [503, "break", "stall"])
def test_what_does_not_pass_ends_and_tells_how_far_it_came(no_cache, monkeypatch, mishap):
    monkeypatch.setattr(network, "STALL_S", 0.2)
    monkeypatch.setattr(remote, "PIECE_BYTES", 150_000)
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.forget()
        site.mishaps = [None, *[mishap] * network.ATTEMPTS]
        told = r"tried 5 times, 150,000 of 400,\d\d\d bytes had arrived"
        with pytest.raises(VolumeError, match=told) as caught:
            files.read("s0001/mri.nii.gz")
        assert caught.value.kind == "network"
        assert len(site.gets) == 1 + network.ATTEMPTS


def test_retry_after_is_honoured_and_bounded(no_cache, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(network.time, "sleep", waits.append)
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.mishaps = [(429, "7"), (503, "Wed, 21 Oct 2015 07:28:00 GMT")]
        files.read("s0001/mri.nii.gz")
        assert 7 <= waits[0] <= 9
        assert waits[1] < 1
        site.mishaps = [(429, "3600")]
        site.forget()
        with pytest.raises(VolumeError, match="asks to wait 3600 s"):
            files.read("s0000/mri.nii.gz")
        assert len(site.gets) == 1


@pytest.mark.parametrize(
    ("status", "told"),
    [(403, "See that you may read it"), (404, "There is nothing at"), (400, "answers 400")],
)
def test_a_final_answer_is_not_asked_for_again(no_cache, status, told):
    with serving({}, always=status) as site:
        with pytest.raises(DatasetError, match=told):
            open_files(f"{site.url}/set.zip?token=geheim")
        assert len(site.requests) == 2  # HEAD and, as some servers know no HEAD, GET


def test_a_server_without_head_is_fine_and_one_without_size_is_named(no_cache):
    data = big_zip(2)[0]
    with serving({"/set.zip": data}, head=False) as site:
        assert len(open_files(f"{site.url}/set.zip").ls("")) == 3
    with (
        serving({"/set.zip": data}, tells_size=False) as site,
        pytest.raises(DatasetError, match="not tell the size"),
    ):
        open_files(f"{site.url}/set.zip")


def test_an_address_that_leads_on(no_cache):
    data, costs = big_zip(2)
    with serving({"/store/7": data}, moved={"/set.zip": "/store/7"}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.body_bytes = 0
        assert read_case(files, "s0001") == unpacked(data, "s0001")
        assert site.body_bytes <= 1.2 * costs[1]


def test_a_folder_within_a_zip(no_cache):
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        files = open_files(f"zip://s0001::{site.url}/set.zip")
        assert files.read("mri.nii.gz") == noise(400_000, 1)


def test_nobody_there(no_cache):
    with serving({}) as site:
        url = site.url
    with pytest.raises(DatasetError, match=r"tried 5 times. See that the address is right"):
        open_files(f"{url}/set.zip")


def test_threads_share_requests(no_cache):
    data, costs = big_zip(2)
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.forget()
        start = threading.Barrier(8)

        def work(_: int) -> dict[str, bytes]:
            start.wait()
            return read_case(files, "s0001")

        with ThreadPoolExecutor(8) as pool:
            assert all(found == unpacked(data, "s0001") for found in pool.map(work, range(8)))
        assert site.body_bytes <= 1.2 * costs[0]


def test_pickles_small_and_reads_in_another_process_and_after_a_fork(no_cache):
    data, _ = big_zip(4)
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip")
        assert len(pickle.dumps(files)) < 1_000
        with loky.ProcessPoolExecutor(1) as pool:
            assert pool.submit(files.read, "s0001/mri.nii.gz").result(60) == noise(400_000, 1)
        if sys.platform == "win32":
            return
        child = os.fork()
        if not child:
            signal.alarm(60)
            os._exit(files.read("s0002/mri.nii.gz") != noise(400_000, 2))
        assert os.waitpid(child, 0)[1] == 0


def test_another_process_notices_that_the_file_has_changed(no_cache):
    with serving({"/set.zip": big_zip(2)[0]}) as site:
        files = open_files(f"{site.url}/set.zip")
        site.files["/set.zip"], site.etag = big_zip(2, 399_999)[0], '"2"'
        with loky.ProcessPoolExecutor(1) as pool, pytest.raises(VolumeError, match="has changed"):
            pool.submit(files.read, "s0001/mri.nii.gz").result(60)


def everywhere(root: Path, site_url: str) -> dict[str, str]:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pipe("/sets/set.zip", zipped(root))
    for path in root.rglob("*"):
        if path.is_file():
            memory.pipe(f"/plain/set/{path.relative_to(root).as_posix()}", path.read_bytes())
    local = root.parent / "set.zip"
    local.write_bytes(zipped(root))
    return {
        "local zip": str(local),
        "http": f"{site_url}/set.zip",
        "chained http": f"zip::{site_url}/set.zip",
        "memory zip": "memory://sets/set.zip",
        "memory folder": "memory://plain/set",
        "file zip": f"zip::{local.as_uri()}",
        "file folder": root.as_uri(),
    }


def test_the_index_is_the_same_wherever_the_data_lie(write, tmp_path):
    root = write({"s0001": LIVER, "s0003": {"liver": LIVER["liver"], "spleen": b"damaged"}})
    expected = build_index(open_dataset(root), tmp_path / "folder", progress=False)
    with serving({"/set.zip": zipped(root)}) as site:
        places = everywhere(root, site.url)
        for number, (name, place) in enumerate(places.items()):
            found = build_index(open_dataset(place), tmp_path / str(number), progress=False)
            for table in ("cases", "structures", "findings"):
                own, other = (
                    getattr(index, table).drop(columns="signature", errors="ignore")
                    for index in (found, expected)
                )
                if table == "findings":
                    own, other = own.drop(columns="what"), other.drop(columns="what")
                pd.testing.assert_frame_equal(own, other, obj=f"{name} {table}")


def test_a_remote_folder_is_listed_at_once(write, monkeypatch):
    root = write({f"s{n:04d}": LIVER for n in range(5)})
    place = everywhere(root, "http://127.0.0.1:9")["memory folder"]
    calls: list[str] = []
    kind = type(fsspec.filesystem("memory"))
    find = kind.find
    monkeypatch.setattr(kind, "find", lambda self, path, **k: calls.append(path) or find(self, path, **k))
    dataset = open_dataset(place)
    assert len(dataset) == 5
    assert [case.signature() for case in dataset] != []
    assert len(calls) == 1
    files = pickle.loads(pickle.dumps(dataset.files))
    assert files.ls("s0001/segmentations") == dataset.files.ls("s0001/segmentations")
    assert (
        files.read("s0001/segmentations/liver.nii.gz")
        == (root / "s0001/segmentations/liver.nii.gz").read_bytes()
    )
    assert len(calls) == 1
    monkeypatch.setattr(remote, "MAX_FILES", 3)
    with pytest.raises(DatasetError, match="holds 11 files"):
        open_dataset(place)


def web_folder(root: Path) -> dict[str, bytes]:
    """Return the files of a folder, and its listings as pages of links."""
    files = {}
    for path in [root, *root.rglob("*")]:
        at = "/set/" + path.relative_to(root).as_posix().removeprefix(".")
        if path.is_dir():
            rows = "".join(f'<a href="{p.name}{"/" * p.is_dir()}">x</a>' for p in sorted(path.iterdir()))
            files[f"{at.rstrip('/')}/"] = files[at.rstrip("/")] = f'<a href="../">up</a>{rows}'.encode()
        else:
            files[at] = path.read_bytes()
    return files


def test_a_web_folder_asks_for_each_listing_once(write):
    root = write({"s0001": LIVER, "s0002": LIVER})
    with serving(web_folder(root)) as site:
        site.mishaps = [503]
        dataset = open_dataset(f"{site.url}/set/")
        assert list(dataset.cases) == ["s0001", "s0002"]
        case = dataset["s0002"]
        assert case.read(case.image) == (root / "s0002/mri.nii.gz").read_bytes()
        listings = [path.rstrip("/") for _, path, _ in site.requests if not path.endswith((".gz", ".csv"))]
        assert len(listings) <= len(set(listings)) + 1  # but for the one that failed


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_file_of_a_web_folder_is_bounded_though_its_listing_tells_no_size(
    write, no_cache, monkeypatch, tells_size
):
    monkeypatch.setattr(remote, "MAX_FILE_BYTES", 300_000)
    image = noise(300_000, 0)
    large = noise(40_000_000, 1)
    root = write({"s0001": {"mri": image, "liver": large}}, meta="")
    with serving(web_folder(root), tells_size=tells_size) as site:
        case = open_dataset(f"{site.url}/set/")["s0001"]
        site.mishaps = [503, "break"] if tells_size else [503]
        assert case.read(case.image) == image
        mask = case.masks()["liver"]
        site.forget()
        with pytest.raises(VolumeError, match="more than the 300,000 bytes") as caught:
            case.read(mask)
        assert caught.value.kind == "too_long"
        assert len(site.gets) == 1
        assert site.body_bytes < len(large) // 2
        with pytest.raises(VolumeError, match="No file 's0001/none'"):
            case.read("s0001/none")


def test_without_aiohttp_the_package_is_named():
    code = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from explorer import open_dataset\n"
        "open_dataset('https://127.0.0.1:9/set.zip')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert "DatasetError: Cannot open 'https://127.0.0.1:9/set.zip'" in run.stderr
    assert "pip install 'totalseg-explorer[remote]'" in run.stderr


@pytest.mark.parametrize("url", ["nosuch://a/set.zip", "zip::nosuch://a", "http://[bad/set.zip"])
def test_a_url_that_is_none_is_named(url):
    with pytest.raises(DatasetError, match="Cannot open"):
        open_files(url)


def test_secrets_of_a_url_are_not_shown():
    url = "zip::https://me:geheim@host/a/set.zip?download=1&X-Amz-Signature=geheim&token=geheim#x"
    assert redacted(url) == "zip::https://host/a/set.zip?download=1"
    data, _ = big_zip(1, 100, 10)
    with serving({"/set.zip": data}) as site:
        files = open_files(f"{site.url}/set.zip?download=1&sig=geheim")
        assert files.name == "set"
        assert "geheim" not in files.location
        with pytest.raises(VolumeError) as caught:
            files.read("none.gz")
        assert "geheim" not in str(caught.value)


def test_the_cache_keeps_its_bound_and_drops_the_longest_unused(tmp_path):
    cache = DiskCache(tmp_path, 100_000)
    for number in range(9):
        cache.put(str(number), noise(10_000, number))
        path = cache._path(str(number))
        os.utime(path, (number, number))
    assert cache.get("0") == noise(10_000, 0)  # now it is the latest used
    for number in range(9, 30):
        cache.put(str(number), noise(10_000, number))
        assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 100_000
        if number == 10:
            assert cache.get("0") == noise(10_000, 0)
            assert cache.get("1") is None
    cache.put("large", bytes(60_000))
    assert cache.get("large") is None


def test_two_caches_of_one_folder_keep_the_bound_between_them(tmp_path):
    caches = [DiskCache(tmp_path, 640_000), DiskCache(tmp_path, 640_000)]
    for number in range(400):
        caches[number % 2].put(str(number), noise(5_000, number))
        if number % 20 == 0:
            held = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
            assert held <= 640_000 * (1 + 2 / 32)


def test_a_cache_that_cannot_be_written_is_gone_without(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    data, _ = big_zip(2)
    with serving({"/set.zip": data}) as site:
        assert read_case(open_files(f"{site.url}/set.zip"), "s0001") == unpacked(data, "s0001")
    assert cache_module.default_cache().get("x") is None


@pytest.mark.parametrize(
    ("given", "gib"),
    [("0.5", 0.5), ("-1", 0), ("nan", 0), ("much", LIMIT_GIB), ("inf", 2**20), ("1e999", 2**20)],
)
def test_the_bound_of_the_cache_may_be_any_text(monkeypatch: pytest.MonkeyPatch, given: str, gib: float):
    monkeypatch.setenv("EXPLORER_CACHE_GIB", given)
    assert default_cache().limit_bytes == gib * 2**30
