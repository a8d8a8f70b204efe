#pragma once
// The stack machine of pickle, run without the one thing that makes pickle dangerous: names are kept as
// names, calls as calls. Every opcode of protocols 0 to 5 is understood. What it builds are nodes in one
// vector that refer to each other by index, so that shared and cyclic values cost nothing here.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace broker::pickle {

using node_id = std::uint32_t;
inline constexpr node_id no_node = UINT32_MAX;

enum class kind : std::uint8_t {
    none,
    boolean,
    integer,
    big_integer,  // text: two's complement, little-endian
    real,
    text,
    bytes,
    list,
    tuple,
    dict,  // items: key, value, key, value
    set,
    frozen_set,
    name,        // text: module.name
    call,        // callee(args…), then state and items
    persistent,  // an object kept elsewhere
};

struct node {
    kind is = kind::none;
    std::int64_t integer = 0;
    double real = 0;
    std::string_view text{};  // into the pickle, or into what the machine owns
    std::vector<node_id> items{};
    node_id callee = no_node;
    node_id args = no_node;
    node_id kwargs = no_node;
    node_id state = no_node;
};

class machine {
public:
    machine(std::string_view bytes, std::size_t nodes_max) : bytes_(bytes), nodes_max_(nodes_max) {}

    // The root, or no_node with error() saying why.
    [[nodiscard]] node_id run();
    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] const node& at(node_id id) const { return nodes_[id]; }

private:
    enum class flow : std::uint8_t { on, stop };

    bool step_constant(unsigned char op);
    bool step_text(unsigned char op);
    bool step_container(unsigned char op);
    bool step_memo(unsigned char op);
    bool step_object(unsigned char op);
    flow step(unsigned char op);

    void fail(std::string_view why);
    std::string_view take(std::uint64_t count);
    std::uint64_t take_number(std::size_t width);  // little-endian
    std::string_view take_line();

    node_id add(node made);
    void push(node made);
    node_id pop();
    node_id top();
    std::vector<node_id> pop_to_mark();
    void push_items(kind is, std::vector<node_id> items);
    void extend(kind is, std::vector<node_id> items);
    void push_integer_line(std::string_view line);
    void push_long(std::string_view bytes);
    void push_name(std::string_view module, std::string_view name);
    void push_quoted(std::string_view line);
    void push_call(node_id callee, node_id args, node_id kwargs);
    void remember(std::uint64_t key);
    void recall(std::uint64_t key);
    void set_state();
    std::string_view own(std::string text);

    std::string_view bytes_;
    std::size_t at_ = 0;
    std::size_t nodes_max_;
    std::vector<node> nodes_;
    std::vector<node_id> stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::uint64_t, node_id> memo_;
    std::vector<std::vector<char>> owned_;
    std::string error_;
};

}  // namespace broker::pickle
