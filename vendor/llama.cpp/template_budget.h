// A bound on what a chat template may do, which upstream's Jinja has not. Included before
// everything else of upstream's common/: there each value a template makes, and each text it
// grows, is taken from the budget of the thread. jinja_hooks.h has the rest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace jan_template {

struct allowance {
    std::size_t n_values;  // alive at a time
    std::size_t n_bytes;   // of text and lists made
    std::size_t n_read;    // bytes of text and long lists looked at: a step may copy those
    std::size_t n_stack;   // bytes below where the budget was made
    double n_seconds;      // of this thread's processor time
};

// While alive, templates on this thread have so much and no more. Past it, and until the budget
// ends, every step throws std::runtime_error: upstream swallows some of them. What was made and
// still lives when it ends, because it holds itself, is taken apart.
class budget {
  public:
    explicit budget(const allowance & given);
    ~budget();
    budget(const budget &) = delete;
    budget & operator=(const budget &) = delete;

    bool is_spent() const;

  private:
    budget * outer_;
};

void take(std::size_t n_bytes);       // and one value
void take_text(std::size_t n_bytes);  // of a value that is there already
void take_look(std::size_t n_bytes);
void check_needle(std::size_t n_bytes);  // searching is quadratic in the worst case

// Values hold values: their destructors would recurse as deep as a template nests lists.
void bury(void * value, void (*destroy)(void *));
// Of a value that may come to hold itself.
void remember(std::weak_ptr<void> value, void (*empty)(void *));

template <class T> std::size_t length_of(const T & value) {
    if constexpr (std::is_convertible_v<const T &, std::string_view>) {
        return std::string_view(value).size();
    } else {
        return 8;
    }
}

template <class T> std::size_t length_of(const std::vector<T> & values) { return values.size() * sizeof(T); }

// Upstream's class of values, and those of them that hold others, by their members.
template <class T, class = void> struct is_value : std::false_type {};
template <class T> struct is_value<T, std::void_t<decltype(std::declval<T &>().val_obj)>> : std::true_type {};
template <class T, class = void> struct is_list : std::false_type {};
template <class T> struct is_list<T, std::void_t<decltype(&T::pop_at)>> : std::true_type {};
template <class T, class = void> struct is_object : std::false_type {};
template <class T> struct is_object<T, std::void_t<decltype(std::declval<T &>().unordered)>>
    : std::true_type {};

template <class T> void empty(void * value) {
    auto & from = *static_cast<T *>(value);
    const auto list = std::move(from.val_arr);
    const auto members = std::move(from.val_obj);
    if constexpr (is_object<T>::value) {
        const auto unordered = std::move(from.unordered);
    }
}

template <class T> const T & taken(const T & text, std::size_t times = 1) {
    take_text(text.length() * times);
    return text;
}

inline std::size_t taken_size(std::size_t n) {
    take_text(n);
    return n;
}

template <class T> const T & needle(const T & what) {
    check_needle(length_of(what));
    return what;
}

}  // namespace jan_template

namespace std {

template <class T, class... Values> shared_ptr<T> jan_make_shared(Values &&... values) {
    if constexpr (jan_template::is_value<T>::value) {
        jan_template::take((std::size_t(0) + ... + jan_template::length_of(values)));
        shared_ptr<T> made(new T(std::forward<Values>(values)...), [](T * value) {
            jan_template::bury(value, [](void * dead) { delete static_cast<T *>(dead); });
        });
        if constexpr (jan_template::is_list<T>::value || jan_template::is_object<T>::value) {
            jan_template::remember(made, jan_template::empty<T>);
        }
        return made;
    } else {
        return make_shared<T>(std::forward<Values>(values)...);
    }
}

class jan_ostringstream : public ostringstream {
  public:
    using ostringstream::ostringstream;
    template <class T> jan_ostringstream & operator<<(const T & value) {
        jan_template::take_text(jan_template::length_of(value));
        static_cast<ostream &>(*this) << value;
        return *this;
    }
    jan_ostringstream & operator<<(ios_base & (*manipulate)(ios_base &)) {
        manipulate(*this);
        return *this;
    }
};

template <class It, class Predicate> bool jan_all_of(It begin, It end, Predicate holds) {
    jan_template::take_look(static_cast<std::size_t>(std::distance(begin, end)));
    return all_of(begin, end, holds);
}

}  // namespace std

#define make_shared jan_make_shared
#define ostringstream jan_ostringstream
#define all_of jan_all_of

#include "jinja/value.h"

namespace jinja {

constexpr size_t jan_short_list = 20000;  // longer than any conversation

// All that walks through values, and all that copies one, asks this of it.
template <class T> bool jan_is_val(const value & what) {
    const string & text = what->val_str;
    const size_t n_items = what->val_arr.size();
    jan_template::take_look(
        (text.parts.size() == 1 ? text.parts[0].val.size() : text.parts.size() * sizeof(string_part)) +
        (n_items > jan_short_list ? n_items * sizeof(value) : 0));
    return is_val<T>(what);
}

template <class T> bool jan_is_val(const value_t * what) { return is_val<T>(what); }

}  // namespace jinja

#define is_val jan_is_val
