"""What each field of a request says in the OpenAPI document: its meaning, its default, an example.

By name, for every body that has it; `Struct.field` stands for the field of one Struct alone. The
default of a field in `OF_SETTINGS` is the server's own, as its flags have it.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["FIELDS", "OF_SETTINGS", "Text"]


class Text(msgspec.Struct, frozen=True):
    """A field's description. `default` is for absent fields; UNSET where there is none to name."""

    description: str
    default: Any = msgspec.UNSET


OF_SETTINGS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
)

FIELDS: dict[str, Text] = {
    "model": Text(
        "The id of the model, one of its aliases, or where it came from. May be left out where the "
        "server has one model only."
    ),
    # The answer's form
    "stream": Text("True: the server sends tokens as they are generated, as events.", False),
    "stream_options": Text("Options of a stream."),
    "include_usage": Text("A last chunk has the usage of the whole answer.", False),
    "include_obfuscation": Text("Has no effect: nothing is padded."),
    "continuous_usage_stats": Text("Refused unless false: usage comes once, at the end.", False),
    "n": Text("Choices to generate for each prompt.", 1),
    "n_cmpl": Text("llama-server's name of `n`."),
    "best_of": Text("Refused unless it equals `n`: choices are not ranked."),
    "echo": Text("The prompt comes first in the text.", False),
    "suffix": Text("The text after the completion, for models trained to fill in the middle."),
    "response_fields": Text("Fields to include in the answer; `a/b` takes `b` out of `a`."),
    "return_tokens": Text("Include the token ids in the answer.", False),
    "timings_per_token": Text("Include timings in each chunk.", False),
    "return_progress": Text("A stream tells how far its prompt is read.", False),
    "sse_ping_interval": Text(
        "Seconds of silence in a stream after which a comment is sent; -1: never."
    ),
    # Its length and its end
    "max_tokens": Text("The most tokens to generate; without it as many as the context holds."),
    "CompletionRequest.max_tokens": Text("The most tokens to generate.", 16),
    "MessageRequest.max_tokens": Text("The most tokens to generate."),
    "max_completion_tokens": Text("OpenAI's newer name of `max_tokens`, which it precedes."),
    "n_predict": Text(
        "The most tokens to predict; -1: unlimited, 0: evaluate the prompt only. `max_tokens` "
        "precedes it.",
        -1,
    ),
    "min_tokens": Text("Tokens that come before one that ends the text.", 0),
    "stop": Text(
        "Generation stops before any of these texts; at most 16 of 1,024 characters.",
        [],
    ),
    "stop_sequences": Text("Texts before which generation stops.", []),
    "stop_token_ids": Text("Tokens that end the answer."),
    "include_stop_str_in_output": Text("The stop text stays in the answer.", False),
    "no_stop_trim": Text("SGLang's name of `include_stop_str_in_output`.", False),
    "ignore_eos": Text("Go on after the end-of-text token.", False),
    "t_max_predict_ms": Text(
        "The longest time to generate, in milliseconds, once a line is whole; 0: no limit.", 0
    ),
    "n_indent": Text("The least indentation of generated lines, in spaces.", 0),
    # How tokens are drawn
    "seed": Text("Of the draws; below 0: a random one.", -1),
    "temperature": Text("How random the answer is, from 0 to 2; 0: the likeliest token."),
    "dynatemp_range": Text(
        "Dynamic temperature: it lies between temperature - range and temperature + range.", 0
    ),
    "dynatemp_exponent": Text("How the entropy becomes the dynamic temperature.", 1),
    "top_k": Text("Draw from the K likeliest tokens; 0 or less: from all."),
    "top_p": Text("Draw from the likeliest tokens that have this probability together."),
    "min_p": Text("The least probability of a token, relative to the likeliest token's."),
    "typical_p": Text("Locally typical sampling with this probability; 1: off.", 1),
    "top_n_sigma": Text("Draw from logits within so many deviations of the greatest; -1: off.", -1),
    "xtc_probability": Text("How often XTC leaves out the likeliest tokens; 0: never.", 0),
    "xtc_threshold": Text("The least probability of tokens that XTC leaves out.", 0.1),
    "repeat_penalty": Text("Divides the logits of recent tokens; 1: off. 1 at temperature 0."),
    "repetition_penalty": Text("vLLM's name of `repeat_penalty`, which precedes it."),
    "repeat_last_n": Text("How many tokens are recent; 0: none, -1: the context.", 64),
    "presence_penalty": Text("Taken from the logits of tokens that have come; 0: off."),
    "frequency_penalty": Text("Taken from the logits of tokens each time they have come; 0: off."),
    "dry_multiplier": Text("How strongly DRY (don't repeat yourself) acts; 0: off.", 0),
    "dry_base": Text("The base of DRY's penalty, whose exponent is the repetition's length.", 1.75),
    "dry_allowed_length": Text("The longest repetition, in tokens, that DRY allows.", 2),
    "dry_penalty_last_n": Text(
        "How many tokens DRY looks at for repetitions; 0: none, -1: the context.", -1
    ),
    "dry_sequence_breakers": Text(
        "Texts at which DRY takes the text to begin anew.", ["\n", ":", '"', "*"]
    ),
    "mirostat": Text("Mirostat sampling; 0: off, 1: Mirostat, 2: Mirostat 2.0.", 0),
    "mirostat_mode": Text("llama-cpp-python's name of `mirostat`.", 0),
    "mirostat_tau": Text("Mirostat's target, in bits of surprise.", 5),
    "mirostat_eta": Text("Mirostat's learning rate.", 0.1),
    "adaptive_target": Text("The probability that adaptive-p holds; below 0: off.", -1),
    "adaptive_decay": Text("How slowly adaptive-p forgets.", 0.9),
    "min_keep": Text("Tokens that samplers leave at least.", 0),
    "samplers": Text(
        "The samplers to apply, in this order.",
        ["dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    ),
    "logit_bias": Text(
        "By token id, a number from -100 to 100 that is added to the token's logit, or `false` to "
        "ban the token. Also pairs of an id or a text and such a value.",
        {},
    ),
    "logit_bias_type": Text("`tokens`: the keys of `logit_bias` are texts.", "input_ids"),
    # What the text has to be
    "grammar": Text("A grammar in GBNF that the text has to match."),
    "ebnf": Text("SGLang's name of `grammar`."),
    "json_schema": Text("A JSON schema that the text has to match."),
    "response_format": Text("`text`, `json_object`, or `json_schema` with its schema."),
    "allowed_token_ids": Text("The only tokens that may come."),
    "bad_words": Text("Texts that may not come, as the tokenizer writes them."),
    "regex": Text("A regular expression that the text has to match."),
    "guided_json": Text("vLLM's name of `json_schema`."),
    "guided_json_object": Text("The text has to be a JSON object.", False),
    "guided_regex": Text("vLLM's name of `regex`."),
    "guided_choice": Text("The text has to be one of these."),
    "guided_grammar": Text("vLLM's name of `grammar`."),
    "structured_outputs": Text(
        "vLLM's newer form: one of `json`, `regex`, `choice`, `grammar`, `json_object`."
    ),
    # Probabilities
    "n_probs": Text("So many of the likeliest tokens come with each token; 0: none.", 0),
    "post_sampling_probs": Text("Their probabilities after the samplers.", False),
    "logprobs": Text("Log-probabilities come with the tokens.", False),
    "CompletionRequest.logprobs": Text("So many of the likeliest tokens come with each token."),
    "top_logprobs": Text("So many of the likeliest tokens come with each token, 0 to 20."),
    "prompt_logprobs": Text("So many of the likeliest tokens come with each token of the prompt."),
    # The cache
    "cache_prompt": Text("Reuse the KV cache of earlier requests where prefixes are equal.", True),
    "cache_salt": Text("Prefixes are shared only under equal salts, and by one caller."),
    "n_keep": Text("Prompt tokens that a context shift spares; 0: none, -1: all.", 0),
    "id_slot": Text("Checked, and no more: prefixes are found by content. -1: any.", -1),
    "truncate_prompt_tokens": Text(
        "Only so many last tokens of the prompt are read; -1: as many as the context holds."
    ),
    "lora": Text("Low-rank adapters of this request, by id, each with its scale."),
    "multimodal_data": Text(
        "Base64 of images or sounds, one for each `<__media__>` in the prompt."
    ),
    "skip_special_tokens": Text(
        "False: control tokens stand in the answer as they are written.", True
    ),
    "deterministic": Text(
        "True: the text depends on the request alone, whatever else the server computes. Slower.",
        False,
    ),
    # Completions
    "prompt": Text("The text to continue, or its token ids, or several of either."),
    "input_prefix": Text("The text before the gap."),
    "input_suffix": Text("The text after the gap."),
    "input_extra": Text("Further files, each with its name and its text."),
    "prompt_string": Text("A prompt's text."),
    "add_special_tokens": Text("Put the model's first token in front of the prompt.", True),
    # Chat
    "messages": Text("The conversation so far, which makes the prompt."),
    "role": Text("The author of the message."),
    "content": Text("The text of the message, or its parts."),
    "name": Text("The name of the function, the tool or the author."),
    "tool_call_id": Text("Which call the message answers."),
    "tool_calls": Text("The calls that the assistant made."),
    "reasoning_content": Text("What the assistant thought before it answered."),
    "id": Text("The id of the call."),
    "LoraScale.id": Text("The id of the adapter, from /lora-adapters."),
    "type": Text("The kind of the tool, the call or the option."),
    "function": Text("The function, by its name, with its arguments or parameters."),
    "arguments": Text("The arguments, JSON as text."),
    "description": Text("What the function does and when to call it, for the model."),
    "parameters": Text("The JSON schema of the function's arguments."),
    "input_schema": Text("The JSON schema of the tool's input."),
    "strict": Text("The arguments have to match the schema.", False),
    "tools": Text("Functions that the model may call."),
    "tool_choice": Text("`none`, `auto`, `required`, or the one function that is to be called."),
    "parallel_tool_calls": Text("An answer may have several calls.", True),
    "functions": Text("The older form of `tools`."),
    "function_call": Text("The older form of `tool_choice`, or of a call."),
    "enable_thinking": Text("The model thinks before it answers, where its template knows how."),
    "reasoning_effort": Text("How much the model thinks, where its template knows how."),
    "reasoning_format": Text("`none` leaves the reasoning in the content."),
    "chat_template_kwargs": Text("Further variables for the chat template."),
    "continue_final_message": Text("Continue the last message in place of answering it."),
    "add_generation_prompt": Text("The prompt ends where the assistant's answer begins.", True),
    "conversation": Text("A stored conversation that the messages continue."),
    "deep_research": Text("Answer after research of several steps.", False),
    "service_tier": Text("Told back, and no more."),
    "thinking_budget_tokens": Text("Tokens that the model may think for."),
    "reasoning_budget_tokens": Text("Another name of `thinking_budget_tokens`."),
    "thinking_token_budget": Text("vLLM's name of `thinking_budget_tokens`."),
    "thinking": Text("Whether the model thinks, and for how many tokens."),
    "reasoning": Text("How much the model thinks, as OpenRouter's clients say it."),
    "budget_tokens": Text("Tokens that the model may think for."),
    "clear_thinking": Text("Leave out the reasoning of earlier turns.", True),
    "effort": Text("How much the model thinks: `low`, `medium` or `high`."),
    "enabled": Text("Whether the model thinks."),
    "exclude": Text("Leave the reasoning out of the answer.", False),
    "summary": Text("Has no effect: reasoning comes whole."),
    "Reasoning.max_tokens": Text("Tokens that the model may think for."),
    # Messages
    "system": Text("What the model is told before the conversation."),
    "output_config": Text("How much the model thinks, and what its answer has to be."),
    "output_format": Text("What the answer has to be."),
    "format": Text("What the answer has to be: a JSON schema."),
    "disable_parallel_tool_use": Text("An answer has one call at most.", False),
    # Vectors
    "input": Text("The text, or several; for vectors also token ids."),
    "NativeTokenizeRequest.content": Text("The text to tokenize."),
    "NativeEmbeddingRequest.content": Text("The text, or several."),
    "TokenizeRequest.input": Text("The text to tokenize."),
    "EmbeddingRequest.content": Text("llama-server's name of `input`."),
    "encoding_format": Text("`float`, or `base64` for packed numbers.", "float"),
    "dimensions": Text("Numbers of each vector, for models that can be cut."),
    "normalize": Text("Vectors have length 1.", True),
    "embd_normalize": Text("llama-server's norm of the vectors; 2: Euclidean, -1: none.", 2),
    "truncate": Text("Cut texts that are too long in place of refusing them.", False),
    "query": Text("What the documents are ranked by."),
    "documents": Text("The texts to rank."),
    "texts": Text("Another name of `documents`."),
    "text": Text("The text of the document."),
    "top_n": Text("So many of the best documents come back; without it all."),
    "return_documents": Text("The documents' texts come back.", False),
    "return_text": Text("Another name of `return_documents`.", False),
    # Tokens
    "tokens": Text("Token ids to turn into text."),
    "add_special": Text("Put the model's first and last tokens around the text.", False),
    "parse_special": Text("Read `<|im_end|>` and the like as the tokens they name.", False),
    "return_token_strs": Text("Each token comes with its text, as vLLM gives it.", False),
    "with_pieces": Text("Each token comes with its text.", False),
    # Models
    "source_url": Text("Where the model is: an address, or `hf:OWNER/REPO[:QUANT]`."),
    "url": Text("Another name of `source_url`."),
    "sha256": Text("The digest of the file, checked before the model is listed."),
    "filename": Text("Which file of a repository."),
    "mmproj": Text("The file that lets the model see or hear, of a repository."),
    "wait": Text("Answer once the model is here.", False),
    "PullRequest.id": Text("The id that the model gets."),
    "ctx_len": Text("Tokens of the longest request, this time."),
    "ngl": Text("Layers on the GPU, this time."),
    "n_parallel": Text("Requests side by side, this time."),
    "embedding": Text("Has no effect: every model can make vectors."),
    "file": Text("A file on the server's machine that has an adapter of the model."),
    "scale": Text("How strongly the adapter acts; 0: not at all, 1: as trained."),
}
