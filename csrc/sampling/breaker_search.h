// Which tokens end or may begin one of DRY's sequence breakers, found in one pass over the texts of
// all tokens. The answer is the one llama.cpp's sampler of that name comes to.
#pragma once

#include "piece_table.h"
#include "sampling/dry.h"

#include <functional>
#include <string>
#include <vector>

namespace jan {

// `words` holds every token's text as it is written out. `breakers` are as settled() leaves them:
// none is empty or longer than upstream reads. `tokenize` is called once per way of splitting one.
dry_breakers find_breakers(const piece_table & words, const std::vector<std::string> & breakers,
                           const std::function<std::vector<token>(const std::string &)> & tokenize);

}  // namespace jan
