// What a web page does with the official clients; the test reads `window.found`.
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

const address = new URLSearchParams(location.search).get("server");
const openai = new OpenAI({
  baseURL: address + "/v1", apiKey: "k", dangerouslyAllowBrowser: true, maxRetries: 0,
});
const anthropic = new Anthropic({
  baseURL: address, apiKey: "k", dangerouslyAllowBrowser: true, maxRetries: 0,
});
const messages = [{ role: "user", content: "Hello?" }];

async function converse() {
  const found = {};
  const models = await openai.models.list();
  const model = models.data[0].id;
  const { data, request_id } = await openai.chat.completions
    .create({ model, messages, max_tokens: 20 }).withResponse();
  found.openai = data.choices[0].message.content;
  found.openai_id = request_id;
  found.openai_stream = "";
  for await (const chunk of await openai.chat.completions
    .create({ model, messages, max_tokens: 20, stream: true })) {
    found.openai_stream += chunk.choices[0]?.delta?.content ?? "";
  }
  const { data: message, request_id: id } = await anthropic.messages
    .create({ model, messages, max_tokens: 20 }).withResponse();
  found.anthropic = message.content[0].text;
  found.anthropic_id = id;
  found.anthropic_stream = "";
  const stream = anthropic.messages.stream({ model, messages, max_tokens: 20 });
  stream.on("text", (text) => { found.anthropic_stream += text; });
  await stream.finalMessage();
  try {
    await openai.chat.completions.create({ model: "none", messages });
  } catch (error) {
    found.error = { status: error.status, code: error.code, id: error.requestID };
  }
  return found;
}

converse().then(
  (found) => { window.found = found; },
  (error) => { window.found = { failed: String(error) }; },
);
