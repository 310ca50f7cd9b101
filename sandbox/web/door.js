// The sandbox's control door (sandbox/control_api.py, sandbox/camera_api.py).

const BASE = "/sandbox/api/";
const PATIENCE = 40_000;

/** What the sandbox refused: `status` of HTTP, `reason` a word for it where it has one, `answer` all it said. */
export class Refusal extends Error {
  constructor(status, answer) {
    super(answer.error ?? `HTTP ${status}`);
    this.status = status;
    this.reason = answer.reason ?? null;
    this.answer = answer;
  }
}

async function ask(name, options = {}) {
  const answer = await fetch(BASE + name, { signal: AbortSignal.timeout(PATIENCE), ...options });
  const body = await answer.json();
  if (!answer.ok) throw new Refusal(answer.status, body);
  return body;
}

export const get = (name, params = {}) => ask(`${name}?${new URLSearchParams(params)}`);

export const post = (name, body) =>
  ask(name, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Let the sandbox look for a code in a picture; `picture` is a Blob of an image type. */
export const look = (picture) =>
  ask("picture", { method: "POST", headers: { "Content-Type": picture.type }, body: picture });
