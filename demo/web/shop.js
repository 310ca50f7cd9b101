// Shows a WeChat code and follows its ticket to the end. Speaks scanbind's public contract alone.
// The ticket's secret travels in the Authorization header only, never in an address.

const WAIT = 25; // seconds scanbind may hold a request open
const SLACK = 15_000; // ms an answer may take beyond that before it counts as lost
const READABLE_AFTER = 120; // seconds an ended ticket can still be read
const UNSEEN = 120_000; // a page hidden this many ms asks no more until it is looked at again
const LONGEST_PAUSE = 60_000;
const FINAL = new Set(["confirmed", "rejected", "expired", "cancelled"]);

class Refused extends Error {
  constructor(slug) {
    super(slug);
    this.slug = slug;
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let hiddenAt = performance.now();
document.addEventListener("visibilitychange", () => (hiddenAt = performance.now()));

// Somebody who answers on a phone in the next tab hides this page: the code must still be fetched in its
// one minute, so only a page that stays hidden rests.
function lookedAt() {
  if (!document.hidden || performance.now() - hiddenAt < UNSEEN) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(SLACK),
  });
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.type?.split("/").pop());
  return answer;
}

// Yields each new state of the ticket, and `trouble` in between, until one is final.
async function* follow(base, ticket) {
  const url = `${base}/v1/tickets/${ticket.ticket}`;
  const deadline = performance.now() + (ticket.expires_in + READABLE_AFTER) * 1000;
  let known = {}; // what makes the next request wait for news; empty, it is answered at once
  for (let failures = 0; performance.now() < deadline; ) {
    await lookedAt();
    const asked = performance.now();
    let pause;
    try {
      const headers = { Authorization: `Bearer ${ticket.secret}`, ...known };
      const signal = AbortSignal.timeout(WAIT * 1000 + SLACK);
      const response = await fetch(url, { headers, signal, cache: "no-store" });
      if (response.status === 404) break;
      if (response.status !== 200 && response.status !== 304) throw response;
      failures = 0;
      // A proxy may drop the wish to wait and answer at once: then the ticket's own pace holds.
      pause = ticket.poll_after * 1000 - (performance.now() - asked);
      if (response.status === 200) {
        const state = await response.json();
        yield state;
        if (FINAL.has(state.status)) return;
        const etag = response.headers.get("ETag");
        if (etag && etag !== known["If-None-Match"]) pause = 0;
        known = etag ? { "If-None-Match": etag, Prefer: `wait=${WAIT}` } : {};
      }
    } catch (trouble) {
      failures += 1;
      known = {};
      const told = Number(trouble.headers?.get("Retry-After")) * 1000;
      pause = told || 2 ** Math.min(failures, 5) * 500 * (1 + Math.random());
      if (failures > 1) yield { status: "trouble" };
    }
    await sleep(Math.max(0, Math.min(pause, LONGEST_PAUSE)));
  }
  yield { status: "expired" };
}

class Panel {
  constructor(root) {
    this.data = root.dataset;
    this.words = JSON.parse(root.dataset.words);
    for (const part of ["qr", "status", "match", "again"]) this[part] = root.querySelector(`.${part}`);
    this.again.addEventListener("click", () => {
      this.status.focus(); // the button is about to go, and the keyboard must not be left nowhere
      this.run({ refresh: true });
    });
  }

  show({ status, match, reason, outcome }) {
    const word = reason ?? (match ? "scanned_match" : outcome === "already_bound" ? outcome : status);
    this.status.textContent = this.words[word] ?? this.words.failed;
    if (status === "trouble") return; // the code or the number stay: they are still good
    this.qr.hidden = status !== "pending";
    this.match.textContent = match ?? "";
    this.match.hidden = !match;
  }

  start(refresh) {
    const { purpose, scanbind, client, state, lang } = this.data;
    if (purpose === "bind") return post("/settings/wechat", { refresh });
    return post(`${scanbind}/v1/tickets`, { purpose, client_id: client, state, lang });
  }

  async finish({ code }) {
    if (this.data.purpose === "bind") return location.reload();
    const { next } = await post("/login/wechat", { code });
    location.assign(next);
  }

  async run({ refresh }) {
    this.again.hidden = true;
    this.show({ status: "loading" });
    try {
      const ticket = await this.start(refresh);
      this.qr.src = this.data.scanbind + ticket.qr_svg;
      let last;
      for await (last of follow(this.data.scanbind, ticket)) this.show(last);
      if (last.status === "confirmed") return await this.finish(last);
    } catch (trouble) {
      this.show({ status: trouble.slug ?? "unreachable" });
    }
    this.again.hidden = false;
  }
}

for (const root of document.querySelectorAll(".code")) new Panel(root).run({ refresh: false });

for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang);
}

// A page brought back from the browser's memory holds a ticket and a state that are over.
addEventListener("pageshow", (event) => event.persisted && location.reload());
