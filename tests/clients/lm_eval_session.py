"""lm-evaluation-harness's own `local-completions` against a server: run by an environment that has
it, with the base URL and a task's rows. Each answer's log-likelihood is on stdout, as JSON.

Its tokenizers are those of hubs; here ids come from the server, as the harness would have them.
"""

import json
import sys
import urllib.request
from importlib import import_module
from typing import Any

lm_eval: Any = import_module("lm_eval")  # nothing of ours has it installed
completions: Any = import_module("lm_eval.models.openai_completions")
URL, ROWS = sys.argv[1:]


def tokenized(text: str, **_further: object) -> list[int]:
    asked = json.dumps({"input": text, "add_special": True}).encode()
    with urllib.request.urlopen(f"{URL}/extras/tokenize", data=asked) as answer:
        ids: list[int] = json.load(answer)["tokens"]
    return ids


model = completions.LocalCompletionsAPI(
    base_url=f"{URL}/v1/completions",
    model="random",
    tokenizer_backend="None",
    num_concurrent=4,
    max_length=256,
)
model.tokenized_requests = True
model.tok_encode = tokenized
model.tokenizer = tokenized  # asked only whether there is one
task = {
    "task": "endings",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": ROWS}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{q}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "gold",
    "target_delimiter": "",
    "metric_list": [{"metric": "acc"}],
}
found = lm_eval.simple_evaluate(model, tasks=[task], bootstrap_iters=0, log_samples=True)
samples = sorted(found["samples"]["endings"], key=lambda sample: sample["doc_id"])
print(json.dumps([pair for sample in samples for (pair,) in sample["resps"]]))
