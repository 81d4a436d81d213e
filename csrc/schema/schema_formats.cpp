#include "schema/schema_formats.h"

#include <map>

namespace jan {

std::string format_pattern(const std::string & format) {
    static const std::string date =
        "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]"
        "|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
    static const std::string time =
        "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]"
        "|2[0-3]):[0-5][0-9])";
    static const std::string byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    static const std::string group = "[0-9a-fA-F]{1,4}";
    static const std::string label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?";
    static const std::string uuid =
        "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
    static const std::string path = "[a-zA-Z0-9._~!$&'()*+,;=:@/-]*";
    static const std::map<std::string, std::string> patterns = {
        {"date", date},
        {"time", time},
        {"date-time", date + "T" + time},
        {"duration",
         "P(?:[0-9]{1,4}W|(?:[0-9]{1,4}D|[0-9]{1,4}M(?:[0-9]{1,4}D)?|[0-9]{1,4}Y(?:[0-9]{1,4}M(?:[0-9]{1,4}D)"
         "?)?)"
         "(?:T(?:[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?|[0-9]{1,4}M(?:[0-9]{1,4}S)?|[0-9]{1,4}S))?"
         "|T(?:[0-9]{1,4}H(?:[0-9]{1,4}M(?:[0-9]{1,4}S)?)?|[0-9]{1,4}M(?:[0-9]{1,4}S)?|[0-9]{1,4}S))"},
        {"email", "[a-zA-Z0-9_+-]+(?:\\.[a-zA-Z0-9_+-]+)*@" + label + "(?:\\." + label + "){1,4}"},
        {"hostname", label + "(?:\\." + label + "){0,4}"},
        {"ipv4", byte + "(?:\\." + byte + "){3}"},
        {"ipv6", group + "(?::" + group + "){7}"},
        {"uri", "https?://" + label + "(?:\\." + label + "){0,4}(?::[0-9]{1,4})?(?:/" + path + ")?"},
        {"uuid", uuid},
        {"uuid1", uuid},
        {"uuid2", uuid},
        {"uuid3", uuid},
        {"uuid4", uuid},
        {"uuid5", uuid},
    };
    const auto found = patterns.find(format);
    return found == patterns.end() ? "" : "^(?:" + found->second + ")$";
}

}  // namespace jan
