"""Several requests of a browser in one message, and thinned slices."""

from typing import Any

import numpy as np
import pytest

from explorer.errors import QueryError
from explorer.views.overlay import thin
from explorer.views.view import MAX_ASKS, View


class Echo(View):
    """Answers with what it is told, and refuses to be told nothing."""

    def handlers(self) -> dict[str, Any]:
        return {"echo": self._echo, "tell": lambda message: None}

    def _echo(self, message: Any) -> Any:
        if message["word"] == "":
            raise QueryError("Nothing was said.")
        return {"word": message["word"]}, [message["word"].encode()] * message["times"]


@pytest.fixture
def sent() -> list[tuple[dict[str, Any], list[bytes]]]:
    return []


@pytest.fixture
def view(sent: list[tuple[dict[str, Any], list[bytes]]]) -> Echo:
    echo = Echo()
    echo.send = lambda content, buffers=None: sent.append((content, list(buffers or [])))
    return echo


ASKS = [
    {"id": "1", "kind": "echo", "word": "one", "times": 2},
    {"id": "2", "kind": "echo", "word": "", "times": 1},
    {"kind": "tell"},
    {"id": "3", "kind": "echo", "word": "three", "times": 1},
]


def test_several_requests_are_answered_in_one_message_each_by_itself(view: Echo, sent: list):
    view._receive(view, {"kind": "many", "asks": ASKS, "together": True}, [])
    [(content, buffers)] = sent
    assert content["kind"] == "many"
    assert [(a["id"], a["ok"], a["count"]) for a in content["answers"]] == [
        ("1", True, 2),
        ("2", False, 0),
        ("3", True, 1),
    ]
    assert buffers == [b"one", b"one", b"three"]
    assert view.error == "Nothing was said."


def test_on_a_slow_link_each_answer_goes_as_soon_as_it_is_there(view: Echo, sent: list):
    view._receive(view, {"kind": "many", "asks": ASKS}, [])
    assert [(content["id"], buffers) for content, buffers in sent] == [
        ("1", [b"one", b"one"]),
        ("2", []),
        ("3", [b"three"]),
    ]


@pytest.mark.parametrize("asks", [None, "abc", [1], [[]], [{"kind": "tell"}] * (MAX_ASKS + 1)])
def test_what_is_no_list_of_requests_is_refused(view: Echo, sent: list, asks: object):
    view._receive(view, {"kind": "many", "asks": asks, "together": True}, [])
    assert sent == []
    assert view.error.startswith(f"asks must be up to {MAX_ASKS} requests")


def test_requests_within_requests_are_unknown(view: Echo, sent: list):
    view._receive(view, {"kind": "many", "asks": [{"id": "1", "kind": "many", "asks": ASKS}]}, [])
    assert [(content["id"], content["ok"]) for content, _ in sent] == [("1", False)]


@pytest.mark.parametrize("stride", [2, 3, 4, 16])
@pytest.mark.parametrize("shape", [(7, 8), (9, 1), (12, 15)])
def test_a_thinned_slice_has_the_middles_of_its_squares(shape: tuple[int, int], stride: int):
    pixels = np.arange(shape[0] * shape[1]).reshape(shape)
    rows, columns = (np.minimum(np.arange(0, n, stride) + stride // 2, n - 1) for n in shape)
    np.testing.assert_array_equal(thin(pixels, None, stride), pixels[np.ix_(rows, columns)])
