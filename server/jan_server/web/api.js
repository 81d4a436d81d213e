// The server's API as the page uses it. Knows nothing of the page.

const KEY = "jan.key";

export class ApiError extends Error {
  constructor(status, message, param) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value),
};

// By id: how its tokens are chosen where a request does not say.
export async function models() {
  const answer = await (await request("v1/models")).json();
  return new Map(answer.data.map((model) => [model.id, model.parameters]));
}

// What a request may be at most, or null where the server does not say.
export async function contextSize() {
  const facts = await (await request("props")).json();
  return facts.default_generation_settings?.n_ctx ?? facts.n_ctx ?? null;
}

export async function isReady() {
  try {
    return (await fetch("readyz")).ok;
  } catch {
    return false;
  }
}

// The chunks of one answer as they come. Ends early, without an error, when `signal` aborts.
export async function* chat(body, signal) {
  const answer = await request("v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  for await (const data of events(answer.body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(500, chunk.error.message, chunk.error.param);
    yield chunk;
  }
  throw new ApiError(0, "The connection broke off before the answer was whole.");
}

async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("Authorization", `Bearer ${key.get()}`);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached.");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => null);
  throw new ApiError(
    answer.status,
    told?.error?.message ?? `The server answered with ${answer.status}.`,
    told?.error?.param,
  );
}

// The data of each server-sent event. Comments, which only keep the connection alive, are dropped.
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    pending += value;
    let end;
    while ((end = pending.indexOf("\n\n")) >= 0) {
      const event = pending.slice(0, end);
      pending = pending.slice(end + 2);
      const data = event.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield data.map((line) => line.slice(5).trimStart()).join("\n");
    }
  }
}
