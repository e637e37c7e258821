"""How figures and their bounds are printed."""


class Table:
    """Prints a line per figure.

    Attributes
    ----------
    missed
        How many bounds were missed or could not be measured.
    """

    def __init__(self) -> None:
        self.missed = 0

    def line(
        self, what: str, value: float, unit: str, bound: float | None = None, *, least: bool = False
    ) -> None:
        """Print one figure; with a bound, whether it is met: at most it, or at least it."""
        told = ""
        if bound is not None:
            met = value >= bound if least else value <= bound
            self.missed += not met
            told = f"{'>=' if least else '<='} {bound:g}".ljust(12) + ("met" if met else "MISSED")
        print(f"{what:62} {value:12,.4g} {unit:8} {told}".rstrip(), flush=True)

    def note(self, text: str) -> None:
        """Print what is no figure."""
        print(f"  {text}", flush=True)
