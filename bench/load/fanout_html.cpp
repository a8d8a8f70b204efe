// The report as a page: tables and curves, drawn here as SVG, without any script or resource.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "bench/load/fanout_report.hpp"

namespace bench {

namespace {

constexpr const char* colours[] = {"#1b6ca8", "#c8553d", "#3c8d5a", "#e0a458", "#7d5ba6", "#666666"};
constexpr double width = 560, height = 300, left = 70, right = 15, top = 35, bottom = 45;

struct point {
    double x, y;
};
struct curve {
    std::string name;
    std::vector<point> points;
};
enum class scale : std::uint8_t { linear, logarithmic };
struct axis {
    std::string label;
    scale how = scale::linear;
};

std::string number(double value, int digits = 4) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    return text;
}

std::string escaped(const std::string& words) {
    std::string out;
    for (const char c : words) {
        if (c == '<')
            out += "&lt;";
        else if (c == '&')
            out += "&amp;";
        else
            out += c;
    }
    return out;
}

std::string words_at(double x, double y, const std::string& words, const char* anchor) {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" +
           escaped(words) + "</text>\n";
}

// The values of one axis, placed between two positions of the drawing.
class placement {
public:
    placement(axis of, double from, double to) : axis_(std::move(of)), from_(from), to_(to) {}
    void include(double value) {
        low_ = std::min(low_, value);
        high_ = std::max(high_, value);
    }
    void close() {
        if (axis_.how == scale::linear) low_ = 0;
        if (axis_.how == scale::logarithmic) {
            low_ = std::pow(10, std::floor(std::log10(std::max(low_, 1e-3))));
            high_ = std::pow(10, std::ceil(std::log10(std::max(high_, low_ * 10))));
        }
        if (high_ <= low_) high_ = low_ + 1;
    }
    [[nodiscard]] double at(double value) const {
        if (axis_.how == scale::linear) return from_ + (value - low_) / (high_ - low_) * (to_ - from_);
        const double part = std::log10(std::max(value, low_) / low_) / std::log10(high_ / low_);
        return from_ + part * (to_ - from_);
    }
    [[nodiscard]] std::vector<double> marks() const {
        std::vector<double> found;
        if (axis_.how == scale::logarithmic) {
            for (double value = low_; value <= high_ * 1.001; value *= 10) found.push_back(value);
            return found;
        }
        const double step = std::pow(10, std::floor(std::log10(high_ / 3)));
        const double wide = high_ / step > 6 ? step * 2 : step;
        for (double value = 0; value <= high_; value += wide) found.push_back(value);
        return found;
    }
    [[nodiscard]] const std::string& label() const { return axis_.label; }

private:
    axis axis_;
    double from_, to_;
    double low_ = 1e300, high_ = -1e300;
};

std::string grid(const placement& x, const placement& y) {
    std::string out;
    for (const double mark : x.marks())
        out += words_at(x.at(mark), height - bottom + 16, number(mark), "middle");
    for (const double mark : y.marks()) {
        const std::string place = number(y.at(mark));
        out += "<path d=\"M" + number(left) + " " + place + "H" + number(width - right) +
               "\" class=\"grid\"/>\n";
        out += words_at(left - 6, y.at(mark) + 4, number(mark), "end");
    }
    return out + words_at((left + width) / 2, height - 8, x.label(), "middle");
}

std::string chart(const std::string& title, const axis& across, const axis& up,
                  const std::vector<curve>& all) {
    placement x(across, left, width - right);
    placement y(up, height - bottom, top);
    for (const curve& each : all)
        for (const point& p : each.points) x.include(p.x), y.include(p.y);
    x.close();
    y.close();
    std::string out = "<svg viewBox=\"0 0 " + number(width) + " " + number(height) + "\" width=\"" +
                      number(width) + "\">\n<text x=\"10\" y=\"16\" class=\"title\">" + escaped(title) +
                      "</text>\n" + grid(x, y);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string colour = colours[i % std::size(colours)];
        std::string path;
        for (const point& p : all[i].points) {
            path += (path.empty() ? "M" : "L") + number(x.at(p.x)) + " " + number(y.at(p.y));
            out += "<circle cx=\"" + number(x.at(p.x)) + "\" cy=\"" + number(y.at(p.y)) +
                   "\" r=\"2.5\" fill=\"" + colour + "\"/>\n";
        }
        out += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + colour + "\" stroke-width=\"1.6\"/>\n";
        out += "<text x=\"" + number(left + 8) + "\" y=\"" + number(top + 10 + 14 * static_cast<double>(i)) +
               "\" fill=\"" + colour + "\">" + escaped(all[i].name) + "</text>\n";
    }
    return out + "</svg>\n";
}

using figure = std::function<double(const step_record&)>;

std::vector<curve> over_rate(const fanout_record& record, const figure& of) {
    std::vector<curve> all;
    for (const std::string& target : record.targets()) {
        curve one{target, {}};
        for (const step_record* step : record.steps_of(target))
            one.points.push_back({step->messages_per_second(), of(*step)});
        std::sort(one.points.begin(), one.points.end(), [](auto a, auto b) { return a.x < b.x; });
        all.push_back(std::move(one));
    }
    return all;
}

double millis(const histogram& of, double part) {
    return std::chrono::duration<double, std::milli>(of.quantile(part)).count();
}

// How many of a hundred, of a thousand … were slower: the tail gets as much room as the rest.
std::vector<curve> by_quantile(const fanout_record& record) {
    std::vector<curve> all;
    for (const std::string& target : record.targets()) {
        const auto steps = record.steps_of(target);
        const step_record& step = *steps[steps.size() / 2];
        curve one{target + " at " + number(step.messages_per_second()) + "/s", {}};
        for (double rest = 1; rest > 5e-5; rest /= 1.8)
            one.points.push_back({1 / rest, millis(step.result.latency, 1 - rest)});
        all.push_back(std::move(one));
    }
    return all;
}

double servers_cpu(const step_record& step) {
    double sum = 0;
    for (const cpu_use& each : step.servers) sum += step.cpu_us(each.ns);
    return sum;
}

}  // namespace

std::string html(const fanout_record& record) {
    const axis rate{"messages a second, achieved", scale::logarithmic};
    const axis latency{"ms", scale::logarithmic};
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Fan-out</title>\n<style>"
        "body{font:14px sans-serif;margin:2em;color:#222}svg{border:1px solid #ddd;margin:6px}"
        "svg text{font:11px sans-serif}.title{font-weight:bold;font-size:13px}"
        ".grid{stroke:#e3e3e3;fill:none}pre{overflow-x:auto;font-size:12px}</style></head>\n<body>\n";
    out += "<h1>Fan-out</h1>\n";
    out += chart("p50 of deliveries, ms", rate, latency,
                 over_rate(record, [](const auto& s) { return millis(s.result.latency, 0.5); }));
    out += chart("p99 of deliveries, ms", rate, latency,
                 over_rate(record, [](const auto& s) { return millis(s.result.latency, 0.99); }));
    out += chart("until the last receiver has a message, median, ms", rate, latency,
                 over_rate(record, [](const auto& s) { return millis(s.result.last, 0.5); }));
    out += chart("deliveries a second, thousands", rate, {"", scale::linear},
                 over_rate(record, [](const auto& s) { return s.deliveries_per_second() / 1000; }));
    out +=
        chart("CPU of all servers, us a delivery", rate, {"", scale::linear}, over_rate(record, servers_cpu));
    out += chart("latency of deliveries, ms; one of so many is slower", {"one of", scale::logarithmic},
                 latency, by_quantile(record));
    return out + "<pre>" + escaped(table(record)) + "</pre>\n</body></html>\n";
}

}  // namespace bench
