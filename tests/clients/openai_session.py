"""What the official Python package sees of a server: run by an environment that has the version
in question, with the base URL. Ends with 1 where anything is not as it should be.
"""

import json
import sys
from typing import Any

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="placeholder", max_retries=0)
MODEL = "calling"
MESSAGES: Any = [{"role": "user", "content": "What is the weather in Rome?"}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
SCHEMA = {
    "type": "object",
    "properties": {"age": {"enum": [1, 2, 3]}},
    "required": ["age"],
    "additionalProperties": False,
}

assert [one.id for one in client.models.list()] == [MODEL]

whole = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=TOOLS).choices[0]
assert whole.finish_reason == "tool_calls", whole
assert whole.message.tool_calls, whole
called: Any = whole.message.tool_calls[0]
assert called.function.name == "get_weather", whole
assert json.loads(called.function.arguments) == {"city": "Rome"}, whole

# The package's own accumulator, which raises where chunks do not fit together.
with client.chat.completions.stream(model=MODEL, messages=MESSAGES, tools=TOOLS) as stream:
    for _ in stream:
        pass
    streamed: Any = stream.get_final_completion().choices[0]
assert streamed.message.content == whole.message.content, streamed
assert streamed.message.tool_calls[0].function.arguments == called.function.arguments, streamed

text = "".join(
    chunk.choices[0].text
    for chunk in client.completions.create(model=MODEL, prompt="\n", stream=True)
)
assert text.startswith("I shall look."), text

shape: Any = {"type": "json_schema", "json_schema": {"name": "age", "schema": SCHEMA}}
# The template lets an answer begin with thoughts, which noise would draw once in a while.
shaped = client.chat.completions.create(
    model=MODEL, messages=MESSAGES, response_format=shape, temperature=0
)
assert json.loads(shaped.choices[0].message.content or "")["age"] in (1, 2, 3), shaped

vectors = client.embeddings.create(model=MODEL, input=["one", "two"]).data
assert len(vectors) == 2, vectors
assert vectors[0].embedding, vectors

refusal = ""
try:
    client.chat.completions.create(model="nobody", messages=MESSAGES)
except openai.NotFoundError as error:
    refusal = error.code or ""
assert refusal == "model_not_found", refusal
