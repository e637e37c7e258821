"""3D in a picture: only a page draws it, and what a page sends may be anything."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_snapshot_copied import BARE, LIVER, SPLEEN, ask, box, of, viewer, written  # noqa: F401 - fixtures

from explorer.snapshot import draw
from explorer.snapshot.png import MAX_BYTES

WIDTH, HEIGHT = 600, 400
GROUND = (0x0B, 0x0D, 0x10)
WORDS = 40
TITLE = "3D · 2 surfaces"


def png(pixels: np.ndarray, **more: Any) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG", **more)
    return data.getvalue()


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)


def drawn(view: Any, layout: str, pixels: np.ndarray | None, **fields: Any) -> np.ndarray:
    sent = {} if pixels is None else {"buffers": [png(pixels)], "space": TITLE}
    reply, data = ask(view, **{"width": WIDTH, "height": HEIGHT, "layout": layout, **sent, **fields})
    assert reply["ok"], reply
    with Image.open(io.BytesIO(data[0])) as image:
        return np.asarray(image)


def test_in_its_own_layout_it_has_all_the_room_beside_the_legend(viewer, written: list[str]):  # noqa: F811
    pixels = noise(WIDTH, HEIGHT)
    image = drawn(viewer(), "3d", pixels)
    assert 230 <= image.shape[1] - WIDTH <= 340
    np.testing.assert_array_equal(image[WORDS:, :WIDTH], pixels[WORDS:])
    assert written[0] == TITLE
    assert {"s0001", "Window 0 to 200  ·  radiological", "liver", "spleen"} <= set(written)
    assert of(image[:, WIDTH:], LIVER).any()
    bare = drawn(viewer(), "3d", pixels, legend=False)
    assert bare.shape == (HEIGHT, WIDTH, 3)
    assert f"{TITLE}  ·  s0001" in written


def test_in_the_grid_it_is_the_fourth_quarter_and_the_legend_beside_all(viewer, written: list[str]):  # noqa: F811
    x, y = WIDTH // 2, HEIGHT // 2
    pixels = noise(x, y)
    image = drawn(viewer(), "grid", pixels)
    assert written.count(TITLE) == written.count("liver") == 1
    assert 230 <= image.shape[1] - WIDTH <= 340
    np.testing.assert_array_equal(image[y + WORDS :, x + 1 : WIDTH], pixels[WORDS:, 1:])
    assert of(image[:, WIDTH:], SPLEEN).any()
    slices = drawn(viewer(), "grid", None)
    np.testing.assert_array_equal(image[:y, :WIDTH], slices[:y])
    np.testing.assert_array_equal(image[y:, :x], slices[y:, :x])


@pytest.mark.parametrize("scale", [1, 2])
def test_it_is_neither_blurred_for_a_pixel_nor_ever_out_of_shape(viewer, scale: int):  # noqa: F811
    """The tiles of a page are a pixel smaller, where lines lie between them."""
    pixels = noise(WIDTH * scale - 3, HEIGHT * scale - 1)
    image = drawn(viewer(), "3d", pixels, scale=scale)
    middle = image[WORDS * scale : HEIGHT * scale - 1, 1 : WIDTH * scale - 2]
    np.testing.assert_array_equal(middle, pixels[WORDS * scale :])
    assert tuple(image[HEIGHT * scale - 1, 5]) == GROUND
    square = np.full((40, 40, 3), 255, np.uint8)
    large = of(drawn(viewer(), "3d", square, scale=scale), (255, 255, 255))[WORDS * scale :]
    assert large[:, : (WIDTH - HEIGHT) // 2 * scale].sum() == 0
    assert large[:, (WIDTH - HEIGHT) // 2 * scale : (WIDTH + HEIGHT) // 2 * scale].all()


def test_the_legend_has_the_colours_of_the_surfaces_whatever_the_slices_show(viewer):  # noqa: F811
    pixels = noise(WIDTH // 2, HEIGHT // 2)
    view = viewer(other={"liver": box((2, 9), (2, 9), (2, 9))})
    for options, layout in (({"paint": "outline"}, "3d"), ({"difference": True}, "grid")):
        image = drawn(view, layout, pixels, options={**BARE, **options})
        assert of(image[:, WIDTH:], LIVER).any(), options


def test_a_key_of_slices_is_there_with_slices_alone(viewer, written: list[str]):  # noqa: F811
    view = viewer(other={"liver": box((2, 9), (2, 9), (2, 9))})
    for layout, number in (("grid", 1), ("3d", 0)):
        written.clear()
        drawn(view, layout, noise(300, 200))
        assert written.count("Outline: reference") == number


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


START, GOOD = b"\x89PNG\r\n\x1a\n", png(noise(30, 20))
REST = GOOD[33:]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no PNG"),
        (START, "no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 'no PNG: it begins with b"<svg xmlns=\'http"'),
        (b"GIF89a" + bytes(100), "no PNG"),
        (GOOD + bytes(MAX_BYTES), "at most 8,000,000 bytes, not 8,0"),
        (START + header(100_000, 100_000) + REST, "not 100,000 x 100,000"),
        (START + header(8192, 8192) + REST, "not 8,192 x 8,192"),
        (START + header(0, 20) + REST, "not 0 x 20"),
        (START + header(2**31, 1) + REST, "not 2,147,483,648 x 1"),
        (START + header(30, 20) + header(9000, 9000) + REST, "broken PNG"),
        (START + header(30, 21)[:-1] + b"x" + REST, "broken PNG"),
        (START + header(30, 20), "broken PNG"),
        (GOOD[:200], "broken PNG"),
        (START + header(30, 20) + chunk(b"IDAT", b"rubbish") + chunk(b"IEND", b""), "broken PNG"),
        (
            START + header(30, 20) + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))) + REST,
            "broken PNG",
        ),
    ],
    ids=range(15),
)
def test_what_is_no_picture_is_refused_with_words(viewer, data: bytes, words: str):  # noqa: F811
    reply, made = ask(viewer(), layout="3d", space="3D", buffers=[data])
    assert (reply["ok"], made) == (False, [])
    assert words in reply["error"]
    assert not reply["error"].startswith("Unexpected")


def test_a_picture_is_not_decoded_before_its_size_is_known_to_be_bearable(
    viewer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(Image, "open", lambda *_args, **_more: pytest.fail("decoded"))
    reply, _ = ask(viewer(), layout="3d", space="3D", buffers=[START + header(8193, 1) + REST])
    assert "not 8,193 x 1" in reply["error"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layout": "axial"}, "layout 'axial'"),
        ({"layout": "mosaic"}, "layout 'mosaic'"),
        ({"space": None}, "space must be a text"),
        ({"space": "x" * 2000}, "space must be a text"),
    ],
)
def test_3d_is_for_the_layouts_that_have_it_and_has_a_title(viewer, fields: dict[str, Any], words: str):  # noqa: F811
    reply, _ = ask(viewer(), **{"layout": "3d", "space": "3D", "buffers": [GOOD], **fields})
    assert words in reply["error"]


@pytest.mark.parametrize("kind", ["L", "RGBA", "P", "1", "I;16"])
def test_a_png_of_any_kind_is_read(viewer, kind: str):  # noqa: F811
    image = Image.new("I;16" if kind == "I;16" else kind, (30, 20))
    data = io.BytesIO()
    image.save(data, "PNG")
    reply, made = ask(viewer(), layout="3d", space="3D", buffers=[data.getvalue()])
    assert reply["ok"], reply
    assert len(made) == 1


def test_without_a_page_the_grid_stands_for_it(viewer, written: list[str]):  # noqa: F811
    view: Any = viewer()
    view.selection.layout = "3d"
    plain = view.snapshot(width=WIDTH, height=HEIGHT)
    view.selection.layout = "grid"
    assert view.snapshot(width=WIDTH, height=HEIGHT) == plain
    assert not any(text.startswith("3D") for text in written)
    with pytest.raises(KeyError, match="layout '3d'"):
        draw(view._picture, layout="3d")
