#include "sidecar/cli/text_table.hpp"

#include <algorithm>

namespace sidecar {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t shrunk_width_min = 8;

// `last`: nothing follows on the line, so that no blanks have to.
void append_cell(std::string& line, const table_cell& cell, std::size_t width, cell_side side, bool last) {
    const std::string text = cut_to_width(cell.text, width);
    const std::string blanks(width - std::min(width, display_width(text)), ' ');
    if (side == cell_side::right) line += blanks;
    line += styled(text, cell.style);
    if (side == cell_side::left && !last) line += blanks;
    if (!last) line.append(gap, ' ');
}

}  // namespace

void text_table::add(std::vector<table_cell> row) {
    row.resize(columns_.size());
    rows_.push_back(std::move(row));
}

std::vector<std::size_t> text_table::widths(std::size_t columns_max) const {
    std::vector<std::size_t> widths;
    std::size_t total = 0;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
        std::size_t width = display_width(columns_[column].title);
        for (const auto& row : rows_) width = std::max(width, display_width(row[column].text));
        widths.push_back(width);
        total += width + (column > 0 ? gap : 0);
    }
    if (columns_max == 0) return widths;
    // The widest of those that may gives way, a column at a time, so that short ones stay whole.
    while (total > columns_max) {
        std::size_t* widest = nullptr;
        for (std::size_t column = 0; column < columns_.size(); ++column)
            if (columns_[column].width == cell_width::may_shrink && widths[column] > shrunk_width_min &&
                (widest == nullptr || widths[column] > *widest))
                widest = &widths[column];
        if (widest == nullptr) break;
        --*widest;
        --total;
    }
    return widths;
}

std::string text_table::text(std::size_t columns_max) const {
    const std::vector<std::size_t> widths = this->widths(columns_max);
    std::string text;
    const auto append_row = [&](const auto& cell_at) {
        for (std::size_t column = 0; column < columns_.size(); ++column)
            append_cell(text, cell_at(column), widths[column], columns_[column].side,
                        column + 1 == columns_.size());
        while (text.ends_with(' ')) text.pop_back();
        text += '\n';
    };
    append_row([&](std::size_t column) { return table_cell{columns_[column].title, text_style::bold}; });
    for (const auto& row : rows_) append_row([&](std::size_t column) { return row[column]; });
    return text;
}

std::size_t table_width() {
    return stdout_is_terminal() ? stdout_size().columns : 0;
}

}  // namespace sidecar
