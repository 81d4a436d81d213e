// A low-rank adapter (LoRA) of a loaded model: what is added to its weights while a pass runs.
#pragma once

#include "adapter_set.h"
#include "model.h"

#include "llama.h"

#include <cstdint>
#include <memory>
#include <string>

namespace jan {

class adapter {
  public:
    // Blocks until it is loaded and has been tried out; passes of the model wait meanwhile. The file's
    // header must have been checked before. Throws bad_model_file, unsupported_feature or out_of_memory.
    static std::shared_ptr<const adapter> load(std::shared_ptr<const model> of, const std::string & path);
    ~adapter();
    adapter(const adapter &) = delete;
    adapter & operator=(const adapter &) = delete;

    llama_adapter_lora * handle() const { return handle_; }
    uint64_t id() const { return id_; }  // of this process, never used again

  private:
    adapter(std::shared_ptr<const model> of, llama_adapter_lora * handle);

    const std::shared_ptr<const model> model_;
    llama_adapter_lora * const handle_;
    const uint64_t id_;
};

// The context computes with these from its next pass on, and with no others; null: with none.
void apply_adapters(llama_context * context, const adapter_set * set);

}  // namespace jan
