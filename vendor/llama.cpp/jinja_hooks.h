// Beside template_budget.h, for the two files of upstream's Jinja that grow strings. Its headers come first,
// so that only the bodies in those files are changed.
#pragma once

#include "template_budget.h"

#include "jinja/runtime.h"
#include "jinja/string.h"
#include "jinja/utils.h"
#include "jinja/value.h"
#include "json.h"

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <set>

namespace jan_template {

inline const jinja::string & taken(const jinja::string & text) {
    take_text(text.length() + text.parts.size() * sizeof(jinja::string_part));
    return text;
}

}  // namespace jan_template

#define append(text) append(jan_template::taken(text))
#define assign(n, character) assign(jan_template::taken_size(std::size_t(n)), character)
#define reserve(n) reserve(jan_template::taken_size(n))
#define find(text, ...) find(jan_template::needle(text), ##__VA_ARGS__)
#define rfind(text, ...) rfind(jan_template::needle(text), ##__VA_ARGS__)
// Each replacement moves the rest of the text.
#define replace(at, n, text) replace(at, n, jan_template::taken(text, 1 + str.size() / 256))
#define getline(from, line) getline(from, line) && (jan_template::taken(indent), true)
