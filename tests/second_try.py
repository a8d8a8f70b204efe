"""What is done with the JUnit files when failed tests of a suite have run a second time.

Usage: second_try.py may FIRST          succeeds when so few failed that a second try makes sense
       second_try.py merge FIRST AGAIN  puts the second results into FIRST and names them
"""

import sys
from xml.etree import ElementTree

FAILED_MAX = 4


def name_of(case):
    return f"{case.get('classname')}.{case.get('name')}"


def failed(tree):
    return [case for case in tree.iter("testcase") if {child.tag for child in case} & {"failure", "error"}]


def merge(first, again):
    """Failed cases get the outcome of their second run; returns their names."""
    second = {name_of(case): case for case in again.iter("testcase")}
    names = []
    for case in failed(first):
        if (other := second.get(name_of(case))) is None:
            continue
        for child in list(case):
            case.remove(child)
        case.extend(list(other))
        names.append(name_of(case))
    return names


def main(action, path, again=None):
    first = ElementTree.parse(path)
    if action == "may":
        return 0 if 0 < len(failed(first)) <= FAILED_MAX else 1
    for name in merge(first, ElementTree.parse(again)):
        print(f"test: passed at the second try: {name}")
    first.write(path)
    return 1 if failed(first) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
