#include "sidecar/cli/text_table.hpp"

#include <catch2/catch.hpp>

#include "sidecar/cli/terminal.hpp"

using namespace sidecar;

TEST_CASE("text_table: columns are as wide as their widest cell", "[cli][table]") {
    text_table table({{"NAME"}, {"READY", cell_side::right}, {"NOTE"}});
    table.add({{"celery"}, {"12"}, {""}});
    table.add({{"a"}, {"1,234,567"}});
    CHECK(table.text(0) ==
          "NAME        READY  NOTE\n"
          "celery         12\n"
          "a       1,234,567\n");
}

TEST_CASE("text_table: columns that may shrink give way, the widest first", "[cli][table]") {
    text_table table({{"TASK", cell_side::left, cell_width::may_shrink}, {"ID"}});
    table.add({{"shop.tasks.send_the_invoice"}, {"0123456789"}});
    CHECK(table.text(24) ==
          "TASK          ID\n"
          "shop.tasks.…  0123456789\n");
    // What may not shrink is never cut, even when the line gets too long.
    CHECK(table.text(5) ==
          "TASK      ID\n"
          "shop.ta…  0123456789\n");
}

TEST_CASE("terminal: width counts columns, not bytes", "[cli][terminal]") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("größe") == 5);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("e\u0301") == 1);
    CHECK(cut_to_width("日本語", 4) == "日…");
    CHECK(cut_to_width("abc", 3) == "abc");
    CHECK(cut_to_width("abc", 0).empty());
}

TEST_CASE("terminal: what would steer the terminal is shown instead", "[cli][terminal]") {
    CHECK(shown("a\x1b[31mb\n") == "a\\x1b[31mb\\n");
    CHECK(shown("größe") == "größe");
    CHECK(shown("\xff") == "\\xff");
}
