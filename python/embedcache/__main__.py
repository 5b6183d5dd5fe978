# SPDX-License-Identifier: Apache-2.0
"""`python -m embedcache`: the command line, which is a program of its own."""

import os
import shutil
import sys


def main() -> None:
    """Becomes the program `embedcache` of the PATH, with the arguments that were given."""
    program = shutil.which("embedcache")
    if program is None:
        sys.exit(
            "embedcache: the command is not on the PATH, and the Python package does not carry it: "
            "build it with make, and install it with make install or as a package of make deb"
        )
    os.execv(program, ["embedcache", *sys.argv[1:]])


if __name__ == "__main__":
    main()
