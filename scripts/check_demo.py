"""Start `explorer demo` of an installed wheel and see that its page answers.

usage: check_demo.py EXPLORER
"""

import os
import re
import subprocess
import sys
import urllib.request
from tempfile import TemporaryDirectory


def main(explorer: str) -> None:
    """Run the demo without a browser, fetch its page once, and stop it."""
    with TemporaryDirectory() as folder:
        command = [explorer, "demo", "--no-browser", "--cases", "2", "--dir", f"{folder}/phantom"]
        # UTF-8 mode and a home of its own: nothing of this machine is needed or changed.
        environment = {**os.environ, "HOME": folder, "PYTHONUTF8": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
            try:
                lines: list[str] = []
                for line in running.stdout or ():
                    lines.append(line)
                    if found := re.search(r"http://\S+", line):
                        break
                else:
                    sys.exit(f"No address from `explorer demo`: {''.join(lines)}")
                with urllib.request.urlopen(found.group(), timeout=60) as answer:
                    page = answer.read().decode()
                if "jupyter-config-data" not in page or 'rel="stylesheet" href="https://' in page:
                    sys.exit("The page of `explorer demo` is not the one of our template.")
                print(f"explorer demo answers at {found.group()} with {len(page):,} characters.")
            finally:
                running.terminate()


if __name__ == "__main__":
    main(sys.argv[1])
