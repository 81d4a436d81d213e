// What the official npm package sees of a server: node conversation.mjs BASE_URL, JSON on stdout.
import OpenAI, { NotFoundError } from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "placeholder", maxRetries: 0 });
const model = "calling";
const messages = [{ role: "user", content: "What is the weather in Rome?" }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: {
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      },
    },
  },
];
const schema = {
  type: "object",
  properties: { age: { enum: [1, 2, 3] } },
  required: ["age"],
  additionalProperties: false,
};
const found = {};

found.models = (await client.models.list()).data.map((one) => one.id);

found.whole = await client.chat.completions.create({ model, messages, tools });

// The package's own accumulator, which throws where chunks do not fit together.
const runner = client.chat.completions.stream({
  model,
  messages,
  tools,
  stream_options: { include_usage: true },
});
found.n_chunks = 0;
runner.on("chunk", () => found.n_chunks++);
found.streamed = await runner.finalChatCompletion();

// The template lets an answer begin with thoughts; a model that was never asked this would draw them
// once in a while, and never come to an end.
found.shaped = await client.chat.completions.create({
  model,
  messages,
  temperature: 0,
  response_format: { type: "json_schema", json_schema: { name: "age", schema, strict: true } },
});

const completion = await client.completions.create({ model, prompt: "\n", stream: true });
found.text = "";
for await (const chunk of completion) found.text += chunk.choices[0].text;

found.vectors = (await client.embeddings.create({ model, input: ["one", "two"] })).data.map(
  (one) => one.embedding.length,
);

// A caller that leaves: the loop ends, and no error comes of it.
const left = await client.chat.completions.create({ model, messages, stream: true });
for await (const _chunk of left) break;
found.aborted = left.controller.signal.aborted;

found.errors = {};
try {
  await client.chat.completions.create({ model: "nobody", messages });
} catch (error) {
  found.errors.model = error instanceof NotFoundError && error.code;
}
try {
  await client.chat.completions.create({ model, messages, temperature: "warm" });
} catch (error) {
  found.errors.temperature = error.status;
}

console.log(JSON.stringify(found));
