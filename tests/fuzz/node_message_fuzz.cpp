// Whatever stands in an inbox or a spool is refused, or reads the same once written again.
#include "channels/node_message.hpp"
#include "tests/fuzz/target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto message = channels::decode_node_message(bytes)) {
        const std::string once = channels::encode(*message);
        const auto again = channels::decode_node_message(once);
        tests::require(again && channels::encode(*again) == once, "a message keeps its meaning");
    }
    if (const auto item = channels::decode_spooled(bytes)) {
        const std::string once = channels::encode_spooled(item->message, item->origin);
        const auto again = channels::decode_spooled(once);
        tests::require(again && channels::encode_spooled(again->message, again->origin) == once,
                       "a waiting message keeps its meaning");
    }
    for (const auto& message : channels::decode_handover(bytes))
        tests::require(message.body != nullptr, "a message handed over has a body");
    return 0;
}
