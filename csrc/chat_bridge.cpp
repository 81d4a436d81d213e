// The only file of csrc that includes llama.cpp's common/, which promises no interface: moving
// the pin can break this file and no other.
#include "abort_guard.h"
#include "error.h"
#include "json_schema.h"
#include "log.h"
#include "schema_limits.h"

#include "common/json-schema-to-grammar.h"

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace jan {

namespace {

constexpr size_t max_grammar = 1 << 20;

std::string after(std::string text, std::string_view prefix) {
    return text.compare(0, prefix.size(), prefix) == 0 ? text.substr(prefix.size()) : text;
}

}  // namespace

std::string json_schema_to_gbnf(std::string_view schema_json) {
    install_log();
    check_schema_text(schema_json, "json_schema");
    std::string grammar;
    try {
        const abort_guard guard(errc::invalid_argument);
        grammar = json_schema_to_grammar(common_json::parse(std::string(schema_json)), true);
    } catch (const std::bad_alloc &) {
        throw;
    } catch (const std::exception & e) {
        throw error(errc::invalid_argument,
                    "json_schema: " + after(e.what(), "JSON schema conversion failed:\n"));
    }
    if (grammar.size() > max_grammar) {
        throw error(errc::invalid_argument, "json_schema: its grammar is larger than 1 MiB");
    }
    if (grammar.find('\0') != std::string::npos) {
        throw error(errc::invalid_argument, "json_schema: a zero character in a name or pattern");
    }
    return grammar;
}

}  // namespace jan
