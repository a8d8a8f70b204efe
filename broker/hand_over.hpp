#pragma once
// Messages that were popped for workers which have not noted them yet. kombu pops on one connection and notes
// the delivery in `unacked` on another; between the two the message exists only in the worker, and here:
//
//   delivered() ──→ confirmed(): the worker has noted it; the copy goes
//        │  ├─ asks_again(): its client pops anew without having noted it, so it never will
//        │  └─ forget(): somebody else took care of it
//        └─ client_gone(): an orphan ──→ take_orphan(): nobody confirmed it meanwhile, it has to go back
//
// Followed are only lists whose application is known to note deliveries: never reply lists, consumers without
// acknowledgement, other libraries' lists.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace broker {

class hand_over {
public:
    using client_id = std::uint64_t;

    explicit hand_over(std::size_t bytes_max = std::size_t{64} << 20) : bytes_max_(bytes_max) {}

    struct copy {
        std::string key;
        std::string tag;
        std::string message;
        std::string reserved;  // its name in the reserve; empty = only here
        bool from_right = true;
    };

    // Who pops from this list will note it.
    [[nodiscard]] bool follows(int db, std::string_view key, client_id who) const;

    enum class outcome : std::uint8_t { followed, not_followed, no_room };
    outcome delivered(int db, copy what, client_id to);

    // The tag was written to the hash. The copy's name in the reserve, if it has one.
    struct confirmation {
        bool known = false;
        bool new_hash = false;
        std::string reserved;
    };
    confirmation confirmed(int db, std::string_view hash, std::string_view tag);

    // The client pops again. What it popped before and did not note is nobody's any more; their names in the
    // reserve.
    std::vector<std::string> asks_again(client_id who);
    void forget(int db, std::string_view tag);

    // What it popped and nobody confirmed; stays here until take_orphan.
    struct orphan {
        int db;
        std::string tag;
    };
    [[nodiscard]] std::vector<orphan> client_gone(client_id who);
    [[nodiscard]] std::optional<copy> take_orphan(int db, std::string_view tag);

    // Hashes in which deliveries are noted.
    void learn(int db, std::string_view hash);
    [[nodiscard]] std::vector<std::string> hashes(int db) const;

    [[nodiscard]] std::size_t size() const { return copies_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

private:
    struct followed {
        copy what;
        client_id by = 0;
        bool orphaned = false;
    };
    using copy_map = std::unordered_map<std::string, followed>;

    static std::string place(int db, std::string_view name);
    void erase(copy_map::iterator at);

    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    copy_map copies_;                                                 // by db and tag
    std::unordered_map<client_id, std::vector<std::string>> popped_;  // copies by who popped them
    std::map<int, std::set<std::string, std::less<>>> hashes_;
    std::unordered_set<std::string> confirming_;     // lists whose messages were confirmed
    std::unordered_set<std::string> careless_;       // lists whose consumers never do
    std::unordered_map<std::string, int> returned_;  // put back from lists of which nothing is known yet
    std::unordered_set<client_id> careless_clients_;
};

}  // namespace broker
