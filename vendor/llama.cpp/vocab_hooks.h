// Included before everything else of llama-vocab.cpp, and by nothing else.
//
// Upstream cuts a text at its special tokens in time that grows with the square of their number, and once
// for each special token of the vocabulary. csrc/special_tokens does so in one walk, and then this call
// has nothing left to find.
#pragma once

#include "text_is_cut.h"

namespace {
thread_local bool jan_is_cut = false;
}

bool jan_text_is_cut(bool is_cut) {
    const bool was = jan_is_cut;
    jan_is_cut = is_cut;
    return was;
}

// Its declaration and its definition say `bool parse_special`, its one call `parse_special`: the first
// word of the second argument tells them apart.
#define tokenizer_st_partition(buffer, special) jan_partition_##special)
#define jan_partition_bool tokenizer_st_partition(std::forward_list<fragment_buffer_variant> & buffer, bool
#define jan_partition_parse_special \
    (void) (jan_is_cut || (tokenizer_st_partition(fragment_buffer, parse_special), true)
