#include "broker/metric_text.hpp"

#include <charconv>
#include <cmath>

namespace broker {
namespace {

// How many bytes the UTF-8 sequence at the front has; 0 when it is none.
std::size_t sequence(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t length = first < 0x80       ? 1
                               : first >> 5 == 6  ? 2
                               : first >> 4 == 14 ? 3
                               : first >> 3 == 30 ? 4
                                                  : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
    }
    return length;
}

void escape(std::string& into, std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = sequence(text);
        const char c = text.front();
        if (length == 0) {
            into += '?';
        } else if (c == '\n') {
            into += "\\n";
        } else if (c == '"' || c == '\\') {
            into += '\\';
            into += c;
        } else {
            into += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
}

void number(std::string& into, double value) {
    if (std::isnan(value)) {
        into += "NaN";
    } else if (std::isinf(value)) {
        into += value > 0 ? "+Inf" : "-Inf";
    } else {
        char text[40];
        const auto [end, ec] = std::to_chars(text, text + sizeof text, value);
        into.append(text, end);
    }
}

}  // namespace

void metric_head(std::string& into, std::string_view name, std::string_view type, std::string_view help) {
    into.append("# HELP ").append(name).append(" ").append(help);
    into.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void metric_line(std::string& into, std::string_view name, const metric_labels& labels, double value) {
    into += name;
    char before = '{';
    for (const auto& [label, text] : labels) {
        into += before;
        into.append(label).append("=\"");
        escape(into, text);
        into += '"';
        before = ',';
    }
    if (!labels.empty()) into += '}';
    into += ' ';
    number(into, value);
    into += '\n';
}

void metric_histogram(std::string& into, std::string_view name, const metric_labels& labels,
                      const histogram& values) {
    const std::string bucket = std::string(name) + "_bucket";
    metric_labels with_bound = labels;
    with_bound.emplace_back("le", "");
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < values.in_bucket().size(); ++i) {
        sum += values.in_bucket()[i];
        std::string bound;
        if (i < values.bounds().size()) {
            number(bound, values.bounds()[i]);
        } else {
            bound = "+Inf";
        }
        with_bound.back().second = bound;
        metric_line(into, bucket, with_bound, static_cast<double>(sum));
    }
    metric_line(into, std::string(name) + "_sum", labels, values.sum());
    metric_line(into, std::string(name) + "_count", labels, static_cast<double>(values.count()));
}

}  // namespace broker
