#include "broker/pickle_machine.hpp"

#include <bit>
#include <charconv>
#include <utility>

namespace broker::pickle {

namespace {

constexpr std::size_t stack_max = 1'000'000;

std::int64_t little_signed(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8U) | static_cast<unsigned char>(bytes[i]);
    const auto shift = 64U - 8U * static_cast<unsigned>(bytes.size());
    return bytes.empty() ? 0 : static_cast<std::int64_t>(value << shift) >> shift;
}

}  // namespace

node_id machine::run() {
    while (error_.empty()) {
        const auto head = take(1);
        if (head.empty()) break;
        if (step(static_cast<unsigned char>(head.front())) == flow::stop) return pop();
    }
    return no_node;
}

void machine::fail(std::string_view why) {
    if (error_.empty()) error_ = why;
}

std::string_view machine::take(std::uint64_t count) {
    if (count > bytes_.size() - at_) {
        fail("cut off");
        return {};
    }
    const auto part = bytes_.substr(at_, count);
    at_ += count;
    return part;
}

std::uint64_t machine::take_number(std::size_t width) {
    const auto part = take(width);
    std::uint64_t value = 0;
    for (std::size_t i = part.size(); i-- > 0;) value = (value << 8U) | static_cast<unsigned char>(part[i]);
    return value;
}

std::string_view machine::take_line() {
    const auto end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) {
        fail("cut off");
        return {};
    }
    auto line = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

node_id machine::add(node made) {
    if (nodes_.size() >= nodes_max_) fail("too many values");
    if (!error_.empty()) return no_node;
    nodes_.push_back(std::move(made));
    return static_cast<node_id>(nodes_.size() - 1);
}

void machine::push(node made) {
    const node_id id = add(std::move(made));
    if (id == no_node) return;
    if (stack_.size() >= stack_max) return fail("too many values");
    stack_.push_back(id);
}

node_id machine::pop() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) {
        fail("not a pickle: its stack is empty");
        return no_node;
    }
    const node_id id = stack_.back();
    stack_.pop_back();
    return id;
}

node_id machine::top() {
    const node_id id = pop();
    if (id != no_node) stack_.push_back(id);
    return id;
}

std::vector<node_id> machine::pop_to_mark() {
    if (marks_.empty()) {
        fail("not a pickle: no mark");
        return {};
    }
    const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<node_id> items(from, stack_.end());
    stack_.erase(from, stack_.end());
    marks_.pop_back();
    return items;
}

void machine::push_items(kind is, std::vector<node_id> items) {
    node made;
    made.is = is;
    made.items = std::move(items);
    push(std::move(made));
}

// Adds to the container on top of the stack; an object takes items too (OrderedDict, defaultdict, deque).
void machine::extend(kind is, std::vector<node_id> items) {
    const node_id id = top();
    if (id == no_node) return;
    node& target = nodes_[id];
    if (target.is != is && target.is != kind::call) return fail("not a pickle: items for what holds none");
    if (is == kind::dict && items.size() % 2 != 0) return fail("not a pickle: a key without a value");
    // A call collects dictionary pairs and list items in one place; which they were is told by `integer`.
    if (target.is == kind::call) target.integer = is == kind::dict ? 1 : 0;
    target.items.insert(target.items.end(), items.begin(), items.end());
}

std::string_view machine::own(std::string text) {
    auto& place = owned_.emplace_back(text.begin(), text.end());
    return {place.data(), place.size()};
}

void machine::push_integer_line(std::string_view line) {
    if (line == "00" || line == "01") return push({.is = kind::boolean, .integer = line == "01"});
    if (line.ends_with('L')) line.remove_suffix(1);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error == std::errc{} && end == line.data() + line.size())
        return push({.is = kind::integer, .integer = value});
    // Too long for an integer: shown by its digits.
    if (line.empty() || line.find_first_not_of("-0123456789") != std::string_view::npos)
        return fail("not a pickle: a bad integer");
    push({.is = kind::big_integer, .integer = 1, .text = line});
}

void machine::push_long(std::string_view bytes) {
    if (bytes.size() <= 8) return push({.is = kind::integer, .integer = little_signed(bytes)});
    push({.is = kind::big_integer, .text = bytes});
}

void machine::push_name(std::string_view module, std::string_view name) {
    push({.is = kind::name, .text = own(std::string(module).append(".").append(name))});
}

// Python 2's string literal; only the escapes that hide bytes matter.
void machine::push_quoted(std::string_view line) {
    if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"'))
        return fail("not a pickle: a bad string");
    line = line.substr(1, line.size() - 2);
    std::string out;
    while (!line.empty()) {
        const auto slash = line.find('\\');
        out.append(line.substr(0, slash));
        if (slash == std::string_view::npos || slash + 1 >= line.size()) break;
        const char what = line[slash + 1];
        line.remove_prefix(slash + 2);
        unsigned code = 0;
        if (what == 'x' && line.size() >= 2 &&
            std::from_chars(line.data(), line.data() + 2, code, 16).ptr == line.data() + 2) {
            out.push_back(static_cast<char>(code));
            line.remove_prefix(2);
        } else {
            out.push_back(what == 'n' ? '\n' : what == 't' ? '\t' : what == 'r' ? '\r' : what);
        }
    }
    push({.is = kind::text, .text = own(std::move(out))});
}

void machine::push_call(node_id callee, node_id args, node_id kwargs) {
    push({.is = kind::call, .callee = callee, .args = args, .kwargs = kwargs});
}

void machine::remember(std::uint64_t key) {
    const node_id id = top();
    if (id != no_node) memo_[key] = id;
}

void machine::recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return fail("not a pickle: nothing of that number in the memo");
    if (stack_.size() >= stack_max) return fail("too many values");
    stack_.push_back(found->second);
}

void machine::set_state() {
    const node_id state = pop();
    const node_id target = top();
    if (state == no_node || target == no_node) return;
    if (nodes_[target].is != kind::call) return fail("not a pickle: a state for what has none");
    nodes_[target].state = state;
}

bool machine::step_constant(unsigned char op) {
    switch (op) {
        case 'N':
            push({.is = kind::none});
            return true;
        case 0x88:
            push({.is = kind::boolean, .integer = 1});
            return true;
        case 0x89:
            push({.is = kind::boolean, .integer = 0});
            return true;
        case 'I':
        case 'L':
            push_integer_line(take_line());
            return true;
        case 'J':
            push({.is = kind::integer, .integer = little_signed(take(4))});
            return true;
        case 'K':
            push({.is = kind::integer, .integer = static_cast<std::int64_t>(take_number(1))});
            return true;
        case 'M':
            push({.is = kind::integer, .integer = static_cast<std::int64_t>(take_number(2))});
            return true;
        case 0x8a:
            push_long(take(take_number(1)));
            return true;
        case 0x8b:
            push_long(take(take_number(4)));
            return true;
        case 'G': {
            std::uint64_t bits = 0;
            for (const char c : take(8)) bits = (bits << 8U) | static_cast<unsigned char>(c);
            push({.is = kind::real, .real = std::bit_cast<double>(bits)});
            return true;
        }
        case 'F': {
            const auto line = take_line();
            double value = 0;
            const auto end = std::from_chars(line.data(), line.data() + line.size(), value).ptr;
            if (line.empty() || end != line.data() + line.size()) fail("not a pickle: a bad float");
            push({.is = kind::real, .real = value});
            return true;
        }
        default:
            return false;
    }
}

bool machine::step_text(unsigned char op) {
    switch (op) {
        case 'X':
            push({.is = kind::text, .text = take(take_number(4))});
            return true;
        case 0x8c:
            push({.is = kind::text, .text = take(take_number(1))});
            return true;
        case 0x8d:
            push({.is = kind::text, .text = take(take_number(8))});
            return true;
        // Raw unicode escapes stay as they are written.
        case 'V':
            push({.is = kind::text, .text = take_line()});
            return true;
        case 'S':
            push_quoted(take_line());
            return true;
        case 'T':
            push({.is = kind::text, .text = take(take_number(4))});
            return true;
        case 'U':
            push({.is = kind::text, .text = take(take_number(1))});
            return true;
        case 'B':
            push({.is = kind::bytes, .text = take(take_number(4))});
            return true;
        case 'C':
            push({.is = kind::bytes, .text = take(take_number(1))});
            return true;
        case 0x8e:
        case 0x96:
            push({.is = kind::bytes, .text = take(take_number(8))});
            return true;
        default:
            return false;
    }
}

bool machine::step_container(unsigned char op) {
    switch (op) {
        case '(':
            marks_.push_back(stack_.size());
            return true;
        case ')':
            push_items(kind::tuple, {});
            return true;
        case ']':
            push_items(kind::list, {});
            return true;
        case '}':
            push_items(kind::dict, {});
            return true;
        case 0x8f:
            push_items(kind::set, {});
            return true;
        case 't':
            push_items(kind::tuple, pop_to_mark());
            return true;
        case 'l':
            push_items(kind::list, pop_to_mark());
            return true;
        case 0x91:
            push_items(kind::frozen_set, pop_to_mark());
            return true;
        case 'd': {
            auto items = pop_to_mark();
            if (items.size() % 2 != 0) fail("not a pickle: a key without a value");
            push_items(kind::dict, std::move(items));
            return true;
        }
        case 0x85:
        case 0x86:
        case 0x87: {
            std::vector<node_id> items(op - 0x84U);
            for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
            push_items(kind::tuple, std::move(items));
            return true;
        }
        case 'a': {
            const node_id item = pop();
            extend(kind::list, {item});
            return true;
        }
        case 'e':
            extend(kind::list, pop_to_mark());
            return true;
        case 0x90:
            extend(kind::set, pop_to_mark());
            return true;
        case 's': {
            const node_id value = pop();
            const node_id key = pop();
            extend(kind::dict, {key, value});
            return true;
        }
        case 'u':
            extend(kind::dict, pop_to_mark());
            return true;
        default:
            return false;
    }
}

bool machine::step_memo(unsigned char op) {
    const auto line_number = [&] {
        const auto line = take_line();
        std::uint64_t key = 0;
        const auto end = std::from_chars(line.data(), line.data() + line.size(), key).ptr;
        if (line.empty() || end != line.data() + line.size()) fail("not a pickle: a bad memo");
        return key;
    };
    switch (op) {
        case 'p':
            remember(line_number());
            return true;
        case 'q':
            remember(take_number(1));
            return true;
        case 'r':
            remember(take_number(4));
            return true;
        case 0x94:
            remember(memo_.size());
            return true;
        case 'g':
            recall(line_number());
            return true;
        case 'h':
            recall(take_number(1));
            return true;
        case 'j':
            recall(take_number(4));
            return true;
        case '0':
            // A mark may lie on top as well.
            if (!marks_.empty() && marks_.back() == stack_.size()) {
                marks_.pop_back();
            } else {
                pop();
            }
            return true;
        case '1':
            pop_to_mark();
            return true;
        case '2':
            if (const node_id id = top(); id != no_node) stack_.push_back(id);
            return true;
        default:
            return false;
    }
}

bool machine::step_object(unsigned char op) {
    switch (op) {
        case 'c': {
            const auto module = take_line();
            push_name(module, take_line());
            return true;
        }
        case 0x93: {
            const node_id name = pop();
            const node_id module = pop();
            if (name != no_node && module != no_node) push_name(nodes_[module].text, nodes_[name].text);
            return true;
        }
        case 0x82:
        case 0x83:
        case 0x84:
            push_name("copyreg.extension", std::to_string(take_number(std::size_t{1} << (op - 0x82U))));
            return true;
        case 'R':
        case 0x81: {
            const node_id args = pop();
            push_call(pop(), args, no_node);
            return true;
        }
        case 0x92: {
            const node_id kwargs = pop();
            const node_id args = pop();
            push_call(pop(), args, kwargs);
            return true;
        }
        case 'o': {
            auto items = pop_to_mark();
            if (items.empty()) fail("not a pickle: an object without its class");
            if (!error_.empty()) return true;
            const node_id callee = items.front();
            items.erase(items.begin());
            push_items(kind::tuple, std::move(items));
            push_call(callee, pop(), no_node);
            return true;
        }
        case 'i': {
            const auto module = take_line();
            const auto name = take_line();
            push_items(kind::tuple, pop_to_mark());
            const node_id args = pop();
            push_name(module, name);
            push_call(pop(), args, no_node);
            return true;
        }
        case 'b':
            set_state();
            return true;
        case 'P':
            push({.is = kind::persistent, .text = take_line()});
            return true;
        case 'Q': {
            const node_id id = pop();
            push({.is = kind::persistent, .args = id});
            return true;
        }
        default:
            return false;
    }
}

machine::flow machine::step(unsigned char op) {
    switch (op) {
        case '.':
            return flow::stop;
        case 0x80:
            if (take_number(1) > 5) fail("a pickle of an unknown protocol");
            return flow::on;
        case 0x95:
            take(8);
            return flow::on;
        case 0x97:
        case 0x98:
            fail("a pickle with buffers outside of it");
            return flow::on;
        default:
            break;
    }
    const bool known =
        step_text(op) || step_constant(op) || step_container(op) || step_memo(op) || step_object(op);
    if (!known) fail("not a pickle: unknown opcode " + std::to_string(op));
    return flow::on;
}

}  // namespace broker::pickle
