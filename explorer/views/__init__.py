"""The widgets; each stands alone in a cell, and all share one `explorer.selection.Selection`."""
