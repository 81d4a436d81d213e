// A way past upstream's search for special tokens, for whoever has cut a text at them already.
#pragma once

#include "llama.h"

// From now on llama_tokenize on this thread takes its text to be free of special tokens. Returns what
// was so before.
LLAMA_API bool jan_text_is_cut(bool is_cut);
