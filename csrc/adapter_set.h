// Which adapters a request's tokens are computed with, and how strongly. Plain data.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace jan {

class adapter;

using scaled_adapter = std::pair<std::shared_ptr<const adapter>, float>;

// Immutable. A pass has one set; two sets are equal when their keys are.
struct adapter_set {
    std::vector<scaled_adapter> adapters;
    std::string key;  // never empty
};

// Null where nothing is left to apply: none, or all at a scale of 0.
std::shared_ptr<const adapter_set> make_adapter_set(std::vector<scaled_adapter> adapters);

inline bool equal(const adapter_set * a, const adapter_set * b) {
    return a == b || (a && b && a->key == b->key);
}

}  // namespace jan
