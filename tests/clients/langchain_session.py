"""What LangChain sees of a server: run by an environment that has it, with the base URL. Ends with
1 where anything is not as it should be.
"""

import sys
from importlib import import_module
from typing import Any

langchain_core: Any = import_module("langchain_core.tools")  # nothing of ours has it installed
langchain_openai: Any = import_module("langchain_openai")
URL = sys.argv[1]
MODEL = "calling"
QUESTION = "What is the weather in Rome?"


def get_weather(city: str) -> str:
    """The weather of today."""
    return f"sunny in {city}"


tool = langchain_core.tool(get_weather)
chat = langchain_openai.ChatOpenAI(model=MODEL, base_url=URL, api_key="placeholder", max_retries=0)
asking = chat.bind_tools([tool])

whole = asking.invoke(QUESTION)
assert [call["args"] for call in whole.tool_calls] == [{"city": "Rome"}], whole
assert whole.usage_metadata["output_tokens"] > 0, whole

added: Any = None
for chunk in asking.stream(QUESTION):
    added = chunk if added is None else added + chunk
assert added.content == whole.content, added
assert [call["args"] for call in added.tool_calls] == [{"city": "Rome"}], added

told = tool.invoke(whole.tool_calls[0])
assert asking.invoke([("user", QUESTION), whole, told]).content is not None

schema = {
    "title": "person",
    "description": "Somebody.",
    "type": "object",
    "properties": {"age": {"enum": [1, 2, 3]}},
    "required": ["age"],
    "additionalProperties": False,
}
# The template lets an answer begin with thoughts, which noise would draw once in a while.
surely = langchain_openai.ChatOpenAI(
    model=MODEL, base_url=URL, api_key="placeholder", max_retries=0, temperature=0
)
shaped = surely.with_structured_output(schema, method="json_schema").invoke(QUESTION)
assert shaped["age"] in (1, 2, 3), shaped

embeddings = langchain_openai.OpenAIEmbeddings(
    model=MODEL, base_url=URL, api_key="placeholder", check_embedding_ctx_length=False
)
assert len(embeddings.embed_documents(["one", "two"])) == 2
