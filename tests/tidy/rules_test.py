"""Plants what each rule forbids into a small tree and expects it to be found, and nothing else."""

import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import rules
from project import Project

TRAPS = [f"{number}. trap: `tests/resp/writer_test.cpp::writes`" for number in range(1, 63)]
CLEAN = {
    "CMakeLists.txt": "add_subdirectory(resp)\n",
    "dev": "#!/usr/bin/env bash\n",
    ".ci/packages.txt": "[build]\nlibthing-dev\n",
    "resp/CMakeLists.txt": "add_library(resp STATIC writer.cpp)\n",
    "resp/writer.hpp": "#pragma once\n#include <string>\n",
    "resp/writer.cpp": '#include "resp/writer.hpp"\n',
    "tests/resp/CMakeLists.txt": "unit_tests(resp resp writer_test.cpp)\n",
    "tests/resp/writer_test.cpp": '#include "resp/writer.hpp"\nTEST_CASE("writes") {}\n',
    "tests/traps.md": "\n".join(TRAPS),
    "sidecar/CMakeLists.txt": "add_subdirectory(net)\n",
    "sidecar/net/CMakeLists.txt": "target_sources(sidecar_net PRIVATE log.cpp)\n",
    "sidecar/net/log.cpp": "#include <spdlog/spdlog.h>\n#include <thread>\n",
}

# rule: files that break it, each alone in an otherwise clean tree.
PLANTED = {
    "include_directions": [
        {"resp/writer.hpp": '#pragma once\n#include "channels/fanout.hpp"\n'},
        {"channels/fanout.hpp": '#pragma once\n#include "broker/envelope.hpp"\n'},
        {"broker/envelope.hpp": '#pragma once\n#include "sidecar/config/config.hpp"\n'},
        {"broker/observer.hpp": "#pragma once\n#include <simdjson.h>\n"},
        {"sidecar/net/listener.hpp": "#pragma once\n#include <spdlog/spdlog.h>\n"},
    ],
    "pure_folders": [
        {"resp/writer.hpp": "#pragma once\n#include <boost/asio/buffer.hpp>\n"},
        {"sidecar/core/session.hpp": "#pragma once\n#include <openssl/ssl.h>\n"},
        {"sidecar/core/session.hpp": '#pragma once\n#include "sidecar/net/listener.hpp"\n'},
        {"broker/observer.hpp": "#pragma once\nauto t = std::chrono::steady_clock::now();\n"},
        {"channels/fanout.hpp": "#pragma once\n#include <mutex>\n"},
    ],
    "file_length": [{"resp/writer.hpp": "#pragma once\n" * 501}, {"dev": "#\n" * 501}],
    "columns": [{"resp/writer.hpp": "#pragma once\n// " + "a" * 108 + "\n"}],
    "sources_listed": [
        {"resp/glob.cpp": "", "tests/resp/glob_test.hpp": "#pragma once\n"},
        {"tests/resp/glob_test.cpp": ""},
    ],
    "units_tested": [
        {"resp/CMakeLists.txt": "writer.cpp\nglob.cpp", "resp/glob.cpp": ""},
        {"sidecar/CMakeLists.txt": "core/session.cpp", "sidecar/core/session.cpp": ""},
    ],
    "test_names": [{"tests/resp/writer_test.cpp": 'TEST_CASE("--flag") {}\n'}],
    "traps_tested": [
        {"tests/traps.md": "\n".join(TRAPS[1:])},
        {"tests/traps.md": "\n".join(["1. trap: none", *TRAPS[1:]])},
        {"tests/resp/writer_test.cpp": 'TEST_CASE("writes other things") {}\n'},
    ],
    "banned_words": [
        {"resp/writer.hpp": "#pragma once\n// FIXME later\n"},
        {"dev": "#!/usr/bin/env bash\n# TODO: more\n"},
    ],
    "pragma_once": [{"resp/writer.hpp": "#include <string>\n"}],
    "top_level": [{"scripts/helper.sh": ""}, {"NOTES.md": ""}],
    "packages_in_one_list": [
        {"dev": "#!/usr/bin/env bash\napt-get install libthing-dev\n"},
        {".ci/run": "#!/usr/bin/env bash\nsudo apt-get -y install jq\n"},
    ],
    "no_local_paths": [
        {"resp/writer.hpp": f"#pragma once\n// see {Path.home()}/notes\n"},
        {"dev": "#!/usr/bin/env bash\ncd /home/someone/project\n"},
    ],
}

ALLOWED = {
    "banned_words": {
        "resp/writer.hpp": "#pragma once\n// TODO when RESP4 exists: its types.\n",
        "dev": "mktemp XXXXXX",
    },
    "pure_folders": {"sidecar/net/clock.hpp": "#pragma once\nauto t = std::chrono::steady_clock::now();\n"},
    "units_tested": {"resp/CMakeLists.txt": "writer.cpp writer_push.cpp", "resp/writer_push.cpp": ""},
    "include_directions": {"broker/envelope.cpp": "#include <simdjson.h>\n"},
}


def findings(rule, files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (CLEAN | files).items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        # The exemptions name files of the real tree.
        with unittest.mock.patch.object(rules, "UNTESTED", {}):
            return [str(finding) for finding in rules.RULES[rule](Project(folder))]


class RulesTest(unittest.TestCase):
    def test_a_clean_tree_has_no_findings(self):
        for rule in rules.RULES:
            with self.subTest(rule=rule):
                self.assertEqual(findings(rule, {}), [])

    def test_each_planted_fault_is_found(self):
        self.assertEqual(set(PLANTED), set(rules.RULES))
        for rule, cases in PLANTED.items():
            for files in cases:
                with self.subTest(rule=rule, files=files):
                    self.assertGreaterEqual(len(findings(rule, files)), 1)

    def test_what_a_rule_allows_is_not_found(self):
        for rule, files in ALLOWED.items():
            with self.subTest(rule=rule):
                self.assertEqual(findings(rule, files), [])

    def test_ctest_runs_every_rule(self):
        self.assertEqual(set(LISTED), set(rules.RULES))


if __name__ == "__main__":
    LISTED = sys.argv.pop().split(";")
    unittest.main()
