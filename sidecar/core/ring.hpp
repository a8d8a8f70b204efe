#pragma once
// A queue in one array that grows by doubling: pushing and popping at a steady depth allocates nothing.
// Emptied after a flood, it gives the array back.

#include <cassert>
#include <cstddef>
#include <memory>
#include <utility>

namespace sidecar {

template <class T>
class ring {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] T& operator[](std::size_t i) { return items_[(first_ + i) & (capacity_ - 1)]; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return items_[(first_ + i) & (capacity_ - 1)]; }
    [[nodiscard]] T& front() { return (*this)[0]; }
    [[nodiscard]] const T& front() const { return (*this)[0]; }
    [[nodiscard]] T& back() { return (*this)[count_ - 1]; }
    [[nodiscard]] const T& back() const { return (*this)[count_ - 1]; }

    void push_back(T item) { emplace_back(std::move(item)); }
    template <class U>
    T& emplace_back(U&& item) {
        if (count_ == capacity_) grow();
        T& place = items_[(first_ + count_++) & (capacity_ - 1)];
        place = std::forward<U>(item);
        return place;
    }
    void pop_front() {
        assert(count_ > 0);
        first_ = (first_ + 1) & (capacity_ - 1);
        if (--count_ == 0 && capacity_ > kept_items_max) {
            items_.reset();
            capacity_ = first_ = 0;
        }
    }
    void pop_back() {
        assert(count_ > 0);
        --count_;
    }
    void clear() { first_ = count_ = 0; }

private:
    static constexpr std::size_t kept_items_max = 16'384;

    void grow() {
        const std::size_t wanted = capacity_ == 0 ? 16 : capacity_ * 2;
        auto bigger = std::make_unique<T[]>(wanted);
        for (std::size_t i = 0; i < count_; ++i) bigger[i] = std::move((*this)[i]);
        items_ = std::move(bigger);
        capacity_ = wanted;
        first_ = 0;
    }

    std::unique_ptr<T[]> items_;
    std::size_t capacity_ = 0;  // a power of two, or 0
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace sidecar
