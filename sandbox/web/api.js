// Client of the sandbox's control API (sandbox/control_api.py, camera_api.py, authorization/consent_api.py,
// in_app_browser/browser.py, mini_program/control_api.py) and of its SMS gateway (sandbox/sms.py).

const BASE = "/sandbox/api/";
const SMS = "/sandbox/sms";
const TIMEOUT = 40_000; // ms

/** An error response: its HTTP `status`, its `reason` if it has one, and the whole body as `answer`. */
export class ApiError extends Error {
  constructor(status, answer) {
    super(answer.error ?? `HTTP ${status}`);
    this.status = status;
    this.reason = answer.reason ?? null;
    this.answer = answer;
  }
}

async function ask(url, options = {}) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT), ...options });
  const body = await answer.json();
  if (!answer.ok) throw new ApiError(answer.status, body);
  return body;
}

export const get = (name, params = {}) => ask(`${BASE}${name}?${new URLSearchParams(params)}`);

export const getSms = (params) => ask(`${SMS}?${new URLSearchParams(params)}`);

export const post = (name, body) =>
  ask(BASE + name, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** Read a QR code in a picture, a Blob of an image type: its `code`, `consent`, `program_code` or `page`. */
export const readPicture = (picture) =>
  ask(`${BASE}picture`, { method: "POST", headers: { "Content-Type": picture.type }, body: picture });
