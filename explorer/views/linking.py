"""Traits of a view that are those of the selection, in the lists that JSON has for tuples."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import traitlets

from explorer.errors import QueryError, UnknownName
from explorer.selection import Selection
from explorer.views.view import View


def link(
    view: View, selection: Selection, names: Mapping[str, str], check: Callable[[str, Any], None]
) -> None:
    """Keep traits of a view and of the selection the same; what the selection refuses is told and undone.

    Parameters
    ----------
    view
        Takes over the selection's values at once.
    selection
        Whose traits.
    names
        The view's trait for each of them.
    check
        Called with a trait of the selection and what the view wants it to be; raises `UnknownName`.
    """

    def pull(name: str, own: str, _change: object = None) -> None:
        value = getattr(selection, name)
        if isinstance(value, tuple):
            value = [list(item) if isinstance(item, tuple) else item for item in value]
        setattr(view, own, value)

    def push(name: str, own: str, _change: object = None) -> None:
        value = getattr(view, own)
        if isinstance(value, list):
            value = tuple(tuple(item) if isinstance(item, list) else item for item in value)
        try:
            check(name, value)
            setattr(selection, name, value)
        except (traitlets.TraitError, UnknownName) as error:
            pull(name, own)
            view.show_error(QueryError(str(error)))

    for name, own in names.items():
        view.follow(selection, partial(pull, name, own), name)
        view.observe(partial(push, name, own), names=[own])
        pull(name, own)
