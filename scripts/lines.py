"""Check that no file of the project is longer than can be read in one sitting."""

import sys
from pathlib import Path

LIMIT = 400
ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    files = [*ROOT.glob("explorer/**/*.py"), *ROOT.glob("js/src/**/*.ts"), *ROOT.glob("js/src/**/*.css")]
    long = {path: count for path in files if (count := len(path.read_text("utf-8").splitlines())) > LIMIT}
    for path, count in long.items():
        print(f"{path.relative_to(ROOT)}: {count} lines, at most {LIMIT}")
    sys.exit(bool(long))
