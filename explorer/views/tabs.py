"""A row of tabs."""

from typing import ClassVar

import traitlets

from explorer.views.view import STATIC, View


class Tabs(View):
    """Names of panels, one of them chosen.

    Attributes
    ----------
    names
        In order.
    chosen
        One of them.
    """

    _esm: ClassVar = STATIC / "tabs.js"
    _css: ClassVar = STATIC / "tabs.css"

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Unicode().tag(sync=True)

    @traitlets.validate("chosen")
    def _known(self, proposal: traitlets.Bunch) -> str:
        if proposal["value"] not in self.names:
            raise traitlets.TraitError(f"No tab {proposal['value']!r}.")
        return str(proposal["value"])
