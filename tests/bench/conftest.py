"""The benchmarks' own arithmetic; nothing is measured here. Puts the root on the import path."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
