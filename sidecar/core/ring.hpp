#pragma once
// A queue in one array that grows by doubling: pushing and popping at a steady depth allocates nothing.
// Emptied after a flood, it gives the array back.

#include <cassert>
#include <cstddef>
#include <utility>
#include <vector>

namespace sidecar {

template <class T>
class ring {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] T& operator[](std::size_t i) { return items_[(first_ + i) & (items_.size() - 1)]; }
    [[nodiscard]] const T& operator[](std::size_t i) const {
        return items_[(first_ + i) & (items_.size() - 1)];
    }
    [[nodiscard]] T& front() { return (*this)[0]; }
    [[nodiscard]] const T& front() const { return (*this)[0]; }

    void push_back(T item) { emplace_back(std::move(item)); }
    template <class U>
    T& emplace_back(U&& item) {
        if (count_ == items_.size()) grow();
        T& place = items_[(first_ + count_++) & (items_.size() - 1)];
        place = std::forward<U>(item);
        return place;
    }
    void pop_front() {
        assert(count_ > 0);
        first_ = (first_ + 1) & (items_.size() - 1);
        --count_;
        if (count_ == 0 && items_.size() > kept_items_max) std::vector<T>().swap(items_);
    }
    void clear() { first_ = count_ = 0; }

private:
    static constexpr std::size_t kept_items_max = 16'384;

    void grow() {
        std::vector<T> bigger(items_.empty() ? 16 : items_.size() * 2);
        for (std::size_t i = 0; i < count_; ++i) bigger[i] = std::move((*this)[i]);
        items_ = std::move(bigger);
        first_ = 0;
    }

    std::vector<T> items_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace sidecar
