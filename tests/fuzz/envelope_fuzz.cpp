// Whatever stands in a queue's list: views stay inside of it, its end tells the same as the whole, and an
// edit changes what it says and nothing else.
#include "broker/edit_envelope.hpp"
#include "broker/envelope.hpp"
#include "broker/glance.hpp"
#include "tests/fuzz/target.hpp"

namespace {

bool inside(std::string_view part, std::string_view whole) {
    return part.empty() ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void edit(std::string_view element, const broker::envelope& read) {
    const auto same = broker::edit_envelope(element, {});
    if (!same) return;
    tests::require(same == element, "no edit, no change");
    broker::envelope_edit wanted;
    wanted.tag = "fuzz-tag";
    const auto changed = broker::edit_envelope(element, wanted);
    tests::require(changed.has_value(), "what is read can be edited");
    const auto again = broker::read_envelope(*changed);
    tests::require(again && again->head.tag == "fuzz-tag", "the edit reads back");
    tests::require(again->body == read.body && again->headers == read.headers, "the rest stays");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view element(reinterpret_cast<const char*>(data), size);
    const auto read = broker::read_envelope(element);
    if (read) {
        for (const auto part : {read->body, read->headers, read->properties})
            tests::require(inside(part, element), "a view points into the element");
        const auto whole = broker::glance(element);
        tests::require(whole && whole->head.tag == read->head.tag, "a glance at the whole tells the same");
        edit(element, *read);
    }
    if (const auto entry = broker::read_unacked(element))
        tests::require(inside(entry->element, element), "the message lies inside its entry");
    (void)broker::glance(element, element.size() + 1);
    tests::require(inside(broker::member(element, "a"), element), "a member lies inside its object");
    return 0;
}
