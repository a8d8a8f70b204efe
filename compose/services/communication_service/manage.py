#!/usr/bin/env python3
"""Commands of the communication service: migrate, check_connections, runserver, ..."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from hdms_common.manage import main

    main("communication_service")
