// Bodies in every serializer and compression: refused, or a value within the limits that is valid JSON, can
// be printed, masked and searched for a workflow.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/base64.hpp"
#include "broker/decode.hpp"
#include "broker/masking.hpp"
#include "broker/workflow.hpp"
#include "tests/fuzz/target.hpp"

namespace {

constexpr std::string_view types[] = {"application/x-python-serialize", "application/json",
                                      "application/x-msgpack", "application/x-yaml", "application/data"};
constexpr std::string_view compressions[] = {"",
                                             "",
                                             "",
                                             "application/x-gzip",
                                             "application/x-bz2",
                                             "application/x-lzma",
                                             "application/x-brotli",
                                             "application/zstd"};

const broker::masking& mask() {
    static const broker::masking usual = [] {
        const std::string pattern(broker::default_mask);
        std::string error;
        return *broker::masking::make({&pattern, 1}, error);
    }();
    return usual;
}

std::string message(std::string_view body, std::string_view type, std::string_view compression, bool task) {
    std::string out = R"({"body": ")" + broker::base64_encode(body) + R"(", "content-type": ")";
    out.append(type)
        .append(R"(", "content-encoding": "binary", "headers": {"compression": ")")
        .append(compression);
    out.append(task ? R"(", "task": "t"})" : R"("})");
    return out + R"(, "properties": {"delivery_tag": "t", "body_encoding": "base64"}})";
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    tests::choices input(data, size);
    const auto type = types[input.pick(std::size(types))];
    const auto choice = input.byte();
    const auto compression = compressions[choice / 2 % std::size(compressions)];
    broker::decode_limits limits;
    limits.body_bytes_max = 1 << 20;
    const auto decoded = broker::decode(message(input.rest(), type, compression, choice % 2 == 0), limits);
    tests::require(decoded.kind != broker::message_kind::foreign, "the envelope is kombu's");
    tests::require(decoded.plain_bytes <= limits.body_bytes_max, "no more than allowed is unpacked");
    boost::json::value shown = broker::as_json(decoded);
    const std::string text = boost::json::serialize(shown);
    tests::require(text.size() < (std::size_t{32} << 20), "what is shown is bounded");
    boost::json::error_code error;
    boost::json::parse_options options;
    options.max_depth = 1000;
    (void)boost::json::parse(text, error, {}, options);
    tests::require(!error, "what is shown is JSON");
    (void)broker::python_repr(shown, 1024);
    (void)broker::as_json(broker::read_workflow(decoded));
    mask().apply(shown);
    return 0;
}
