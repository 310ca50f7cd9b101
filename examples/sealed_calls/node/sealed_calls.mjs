// Three calls of a CRM to scanbind, encrypted and dated: GetQrCode, GetBindInfo, Disconnect.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const { CRM_SCANBIND = "http://127.0.0.1:8080", CRM_CLIENT = "crm", CRM_SEALING_KEY } = process.env;
const KEY = Buffer.from(CRM_SEALING_KEY, "base64url");
const encode = (bytes) => Buffer.from(bytes).toString("base64url");
const HEADER = encode(JSON.stringify({ alg: "dir", enc: "A256GCM", kid: CRM_CLIENT }));

function stop(message) {
  console.error(message);
  process.exit(1);
}

function seal(content) {
  const nonce = randomBytes(12); // a new one for each call
  const cipher = createCipheriv("aes-256-gcm", KEY, nonce).setAAD(Buffer.from(HEADER));
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(content)), cipher.final()]);
  return [HEADER, "", encode(nonce), encode(ciphertext), encode(cipher.getAuthTag())].join(".");
}

// Return the plaintext; throw if it was not sealed with the key.
function open(text) {
  const [header, empty, nonce, ciphertext, tag, ...more] = text.split(".");
  if (empty !== "" || more.length) throw new Error("not a compact JWE");
  const bytes = (part) => Buffer.from(part, "base64url");
  // Without authTagLength, Node accepts a tag of four bytes.
  const decipher = createDecipheriv("aes-256-gcm", KEY, bytes(nonce), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(header)).setAuthTag(bytes(tag));
  return JSON.parse(Buffer.concat([decipher.update(bytes(ciphertext)), decipher.final()]).toString());
}

// Return the body of the answer to the call jti; stop if the answer is another one.
function unseal(text, jti) {
  let content;
  try {
    content = open(text);
  } catch {
    stop("the answer cannot be opened");
  }
  const members = Object.keys(content).sort().join();
  if (members !== "body,jti" || content.jti !== jti) stop("this is the answer to another call");
  return content.body;
}

// Return the body of the answer; null if it has none. Stop if the call is refused.
async function call(method, path, body = {}) {
  const jti = randomBytes(16).toString("base64url");
  const sealed = seal({ iat: Math.floor(Date.now() / 1000), jti, method, path, query: {}, body });
  const headers = { "Content-Type": "application/jose" };
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(`${CRM_SCANBIND}/v1/sealed`, { method: "POST", headers, body: sealed, signal });
  if (method === "DELETE" && answer.status === 204) return null;
  if (!answer.ok) stop(await answer.text()); // not sealed: for people and logs, never to decide by
  return unseal(await answer.text(), jti);
}

const path = (user) => `/v1/bindings/${encodeURIComponent(user)}`;
const CALLS = {
  GetQrCode: (user) => call("POST", "/v1/tickets", { purpose: "bind", user_id: user, refresh: true }),
  GetBindInfo: (user) => call("GET", path(user)),
  Disconnect: (user) => call("DELETE", path(user)),
};
const [name, user] = process.argv.slice(2);
console.log(JSON.stringify(await CALLS[name](user)));
