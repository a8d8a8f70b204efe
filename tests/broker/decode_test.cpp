#include "broker/decode.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "broker/base64.hpp"
#include "broker/kombu_names.hpp"
#include "tests/broker/golden.hpp"
#include "tests/broker/messages.hpp"

using namespace broker;
namespace json = boost::json;

namespace {

const std::string plain_args =
    R"([1,"zwei",[3.5E0,null,true],{"__type__":"int","__value__":"-1180591620717411303424"}])";

std::string text(const json::value& value) {
    return json::serialize(value);
}

json::value typed_text(const char* type, const char* content) {
    return typed(type, json::string(content));
}

void check_plain_kwargs(const decoded_message& message) {
    const auto& kwargs = message.kwargs.as_object();
    CHECK(kwargs.at("user") == "ada");
    CHECK(kwargs.at("password") == "hunter2");
    CHECK(kwargs.at("text") == "naïve ☕\n\"quoted\"");
}

void check_typed_kwargs(const decoded_message& message) {
    const auto& kwargs = message.kwargs.as_object();
    CHECK(kwargs.at("when") == typed_text("datetime", "2026-11-22T12:10:35.032847+00:00"));
    CHECK(kwargs.at("day") == typed_text("date", "2026-11-22"));
    CHECK(kwargs.at("price") == typed_text("decimal", "12.50"));
}

void check_raw_kwargs(const decoded_message& message) {
    const auto& kwargs = message.kwargs.as_object();
    CHECK(kwargs.at("blob") == typed_text("base64", "AP8Q"));
    CHECK(kwargs.at("ascii") == typed_text("bytes", "plain"));
}

void check_python_kwargs(const decoded_message& message) {
    const auto& kwargs = message.kwargs.as_object();
    CHECK(kwargs.at("pair") == typed("tuple", json::array{1, 2}));
    CHECK(text(kwargs.at("unique")) == R"({"__type__":"set","__value__":[7]})");
    CHECK(kwargs.at("span") == typed("timedelta", 3600));
    CHECK(text(kwargs.at("shared")) == "[[1],[1]]");
}

decoded_message task(const std::string& release, const std::string& name) {
    INFO(release << " " << name);
    auto message = decode(tests::golden(release, name));
    CHECK(message.undecoded.empty());
    CHECK(message.is_task());
    CHECK(message.head.task == "proj.work");
    CHECK(is_uuid(message.head.id));
    return message;
}

}  // namespace

TEST_CASE("JSON, with kombu's typed values") {
    const auto message = task("celery-5.7", "v2-json");
    CHECK(message.kind == message_kind::task);
    CHECK(text(message.args) == plain_args);
    check_plain_kwargs(message);
    check_typed_kwargs(message);
    check_raw_kwargs(message);
    CHECK(message.kwargs.as_object().at("key") ==
          typed("uuid", json::object{{"hex", "0e3c2f1a111142228333abcdefabcdef"}}));
}

TEST_CASE("JSON of the older kombu has no typed values") {
    const auto message = task("celery-5.2", "v2-json");
    CHECK(text(message.args) == plain_args);
    check_plain_kwargs(message);
    CHECK(message.kwargs.as_object().at("when") == "2026-11-22T12:10:35.032847Z");
}

TEST_CASE("Pickle shows what it holds") {
    for (const auto& release : tests::golden_releases) {
        const auto message = task(release, "v2-pickle");
        CHECK(text(message.args) == plain_args);
        check_plain_kwargs(message);
        check_typed_kwargs(message);
        check_raw_kwargs(message);
        check_python_kwargs(message);
        CHECK(message.kwargs.as_object().at("key") ==
              typed("uuid", json::object{{"hex", "0e3c2f1a-1111-4222-8333-abcdefabcdef"}}));
    }
}

TEST_CASE("An object in a pickle is a name, its arguments and its state") {
    for (const auto& release : tests::golden_releases) {
        const auto message = task(release, "v2-pickle-object");
        CHECK(text(message.args) ==
              R"([{"__type__":"object","__value__":{"class":"__main__.Point","args":[],)"
              R"("state":{"x":7,"secret":"s3cret"}}}])");
        CHECK(python_repr(message.args, 200) == "[__main__.Point() {'x': 7, 'secret': 's3cret'}]");
    }
}

TEST_CASE("MessagePack and YAML") {
    for (const auto& release : tests::golden_releases) {
        const auto packed = task(release, "v2-msgpack");
        CHECK(text(packed.args) == R"([1,"zwei",[3.5E0,null,true]])");
        check_plain_kwargs(packed);
        check_raw_kwargs(packed);
        const auto yaml = task(release, "v2-yaml");
        CHECK(text(yaml.args) == R"([1,"zwei",[3.5E0,null,true]])");
        check_plain_kwargs(yaml);
        check_raw_kwargs(yaml);
        CHECK(yaml.kwargs.as_object().at("day") == typed_text("date", "2026-11-22"));
    }
}

TEST_CASE("Protocol 1 names its task in the body") {
    for (const auto& release : tests::golden_releases) {
        const auto message = task(release, "v1-json");
        CHECK(message.kind == message_kind::task_v1);
        CHECK(text(message.args) == plain_args);
        check_plain_kwargs(message);
        const auto pickled = task(release, "v1-pickle");
        CHECK(text(pickled.args) == plain_args);
        check_python_kwargs(pickled);
        CHECK(pickled.eta_us == 1795349435032847);
        for (const char* name : {"v1-json", "v1-pickle"}) {
            const std::string element = tests::golden(release, name);
            auto head = read_envelope(element)->head;
            decode_limits small;
            small.element_bytes_max = element.size() - 1;
            complete_head(head, element, small);
            CHECK(head.task.empty());
            complete_head(head, element, {});
            CHECK(head.task == "proj.work");
            CHECK_FALSE(head.tag.empty());
        }
    }
}

TEST_CASE("Every compression kombu names") {
    for (const auto& release : tests::golden_releases)
        for (const auto* name : {"v2-json-zlib", "v2-json-bzip2", "v2-json-lzma", "v2-json-zstd",
                                 "v2-json-brotli", "v2-pickle-zlib"}) {
            const auto message = task(release, name);
            CHECK(text(message.args) == plain_args);
            check_plain_kwargs(message);
            CHECK_FALSE(message.head.compression.empty());
            CHECK(message.plain_bytes > 0);
            CHECK(message.plain_bytes != message.body_bytes);
        }
}

TEST_CASE("What the headers say besides") {
    for (const auto& release : tests::golden_releases) {
        const auto eta = task(release, "eta");
        CHECK(eta.eta_us == 1795349435032847);
        CHECK(eta.expires_us == 1795349435032847 + 86'400'000'000);
        CHECK(eta.head.retries == 2);
        const auto limits = task(release, "limits");
        CHECK(limits.head.limits.hard_s == 10.0);
        CHECK(limits.head.limits.soft_s == 5.0);
        const auto large = task(release, "large");
        CHECK(large.cut);
        CHECK(large.plain_bytes > 100'000);
        CHECK(large.args.as_array()[0].as_string().ends_with("bytes more)"));
    }
}

TEST_CASE("Stamps") {
    const auto stamped = task("celery-5.7", "stamped");
    REQUIRE(stamped.head.stamps.size() == 1);
    CHECK(stamped.head.stamps[0].name == "customer");
    CHECK(stamped.head.stamps[0].values == std::vector<std::string>{"ada"});
}

TEST_CASE("A value of unacked holds the message") {
    for (const auto& release : tests::golden_releases) {
        const auto value = tests::golden(release, "unacked");
        const auto entry = read_unacked(value);
        REQUIRE(entry);
        CHECK(entry->routing_key == "celery");
        const auto message = decode(entry->element);
        CHECK(message.head.task == "proj.work");
        CHECK(text(message.args) == "[1]");
    }
}

TEST_CASE("The API's form is the same for every message") {
    const auto task = as_json(decode(tests::golden("celery-5.7", "v2-json")));
    CHECK(task.at("kind") == "task");
    CHECK(task.at("protocol") == 2);
    CHECK(task.at("task") == "proj.work");
    CHECK(task.at("undecoded").is_null());
    CHECK(task.at("headers").as_object().at("lang") == "py");
    CHECK(task.at("properties").as_object().at("body_encoding") == "base64");
    const auto foreign = as_json(decode("garbage"));
    CHECK(foreign.at("kind") == "foreign");
    CHECK(foreign.at("undecoded") == "not a kombu message");
    CHECK(foreign.size() == task.size());
    for (const auto& member : task) CHECK(foreign.contains(member.key()));
}

TEST_CASE("A body that cannot be opened says why, and the producer's texts stay") {
    const auto why = [](const std::string& body, const std::string& headers, const std::string& type) {
        const auto message = decode(tests::message(body, headers, tests::add_properties, type));
        CHECK(message.args.is_null());
        return message.undecoded;
    };
    const std::string& headers = tests::add_headers;
    std::string compressed = headers;
    compressed.insert(1, R"("compression": "application/x-gzip", )");
    std::string odd = headers;
    odd.insert(1, R"("compression": "rot13", )");
    CHECK(why("!!!", headers, "application/json") == "the body is not base64");
    CHECK(why("bm9wZQ==", headers, "application/json") == "not JSON");
    CHECK(why("bm9wZQ==", headers, "application/x-python-serialize") == "not a pickle: unknown opcode 110");
    CHECK(why("bm9wZQ==", headers, "application/x-strange") == "unknown content type application/x-strange");
    CHECK(why("bm9wZQ==", compressed, "application/json") == "compressed data is damaged");
    CHECK(why("bm9wZQ==", odd, "application/json") == "unknown compression");
    CHECK(why("e30=", headers, "application/json") == "the body is not [args, kwargs, embed]");
    CHECK(decode(tests::message("!!!")).head.argsrepr == "(2, 2)");
}

TEST_CASE("A body inline instead of base64") {
    std::string properties = tests::add_properties;
    properties.replace(properties.find("\"base64\""), 8, "null");
    const auto message =
        decode(tests::message(R"([[\"a\\n\", 2], {}, {\"chord\": null}])", tests::add_headers, properties));
    CHECK(message.undecoded.empty());
    CHECK(text(message.args) == R"(["a\n",2])");
}

TEST_CASE("A message too large to be opened still tells who it is") {
    const std::string element = tests::message(std::string(std::size_t{50} << 20, 'A'));
    const auto message = decode(element);
    CHECK(message.kind == message_kind::head_only);
    CHECK(message.head.task == "proj.add");
    CHECK(message.head.tag == "tag-1");
    CHECK(message.size_bytes == element.size());
    CHECK(message.undecoded == "larger than can be opened");
}

TEST_CASE("Texts, raw data and messages of others are shown as they are") {
    const auto of = [](const std::string& body, const std::string& type) {
        return decode(R"({"body": ")" + base64_encode(body) + R"(", "content-type": ")" + type +
                      R"(", "content-encoding": "binary", "headers": {}, "properties": )" +
                      tests::add_properties + "}");
    };
    CHECK(of("hello", "text/plain").body == "hello");
    CHECK(of("\xff", "application/data").body == typed_text("base64", "/w=="));
    const auto other = of(R"({"any": 1})", "application/json");
    CHECK(other.kind == message_kind::other);
    CHECK(other.body == json::object{{"any", 1}});
}
