#pragma once
// Rows under titles, aligned by what they show. Cells must be safe to print (see shown()).

#include <cstdint>
#include <string>
#include <vector>

#include "sidecar/cli/terminal.hpp"

namespace sidecar {

enum class cell_side : std::uint8_t { left, right };
enum class cell_width : std::uint8_t { kept, may_shrink };

struct table_column {
    std::string title;
    cell_side side = cell_side::left;
    cell_width width = cell_width::kept;
};

struct table_cell {
    std::string text;
    text_style style = text_style::plain;
};

class text_table {
public:
    explicit text_table(std::vector<table_column> columns) : columns_(std::move(columns)) {}

    // As many cells as there are columns; missing ones are empty.
    void add(std::vector<table_cell> row);

    // Columns that may shrink give way until a line has `columns_max` columns; 0 = no limit.
    [[nodiscard]] std::string text(std::size_t columns_max) const;
    [[nodiscard]] bool empty() const { return rows_.empty(); }

private:
    [[nodiscard]] std::vector<std::size_t> widths(std::size_t columns_max) const;

    std::vector<table_column> columns_;
    std::vector<std::vector<table_cell>> rows_;
};

// What a table may take on stdout: its width on a terminal, no limit in a pipe.
[[nodiscard]] std::size_t table_width();

}  // namespace sidecar
