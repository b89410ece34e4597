"""`python -m clusterlib`: the program `clusterlib`, also where its script is not on the PATH."""

import sys

from clusterlib.doors.program.main import main

if __name__ == "__main__":
    sys.exit(main())
