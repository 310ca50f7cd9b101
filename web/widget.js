// <scanbind-qr>: shows a WeChat code and follows its ticket until somebody has answered (docs/integration.md).
// Text only ever becomes text, a secret travels in a header alone, and a page that nobody sees asks for nothing.

const BASE_URL = new URL(".", import.meta.url);
const RENEWALS = 10; // codes that follow an expired one by themselves
const TRIES = 8; // for a code, before a person has to ask again
const HOLD = 25; // seconds the service may hold a poll
const LATE = 10_000; // ms an answer may take
const SILENCE = 35_000; // ms without a sign of life, after which a stream counts as dead
const BRIEF = 3_000; // ms: a connection that ends sooner is no way to wait
const LEADER_TIMEOUT = 10_000; // ms without a message, after which the leader in another tab counts as gone
const EXPIRING = 22; // seconds left when a warning is due: people need twenty (WCAG 2.2.1)
const FINAL = new Set(["confirmed", "rejected", "expired", "cancelled", "failed"]);
const HUSH = "interrupted";

const WORDS = {
  en: {
    alt: "QR code to scan with WeChat",
    loading: "Getting a code…",
    waiting: "Scan with WeChat",
    waiting_hint: "In WeChat, tap + and then Scan.",
    wechat: "Press and hold the code",
    wechat_hint: "WeChat recognizes it and goes on.",
    phone_hint: "Save the picture, then choose it in the scanner of WeChat.",
    save: "Save the picture",
    scanned: "Answer with this number",
    scanned_hint: "Tap or type it in WeChat.",
    asked: "Confirm in WeChat",
    asked_hint: "The chat asks whether it is you.",
    confirmed: "Confirmed",
    bound: "WeChat is connected",
    already_bound: "This WeChat was connected already",
    declined: "Declined on the phone",
    wrong_number: "That was another number",
    wrong_number_hint: "To be safe, this code has ended.",
    wechat_taken: "This WeChat belongs to another account",
    wechat_taken_hint: "Disconnect it there first.",
    user_taken: "This account has another WeChat",
    user_taken_hint: "Disconnect that one first.",
    expiring: "This code is about to expire",
    expired: "This code has expired",
    cancelled: "This code was replaced",
    offline: "Cannot connect right now",
    offline_hint: "Trying again…",
    limited: "Too many codes at once",
    limited_hint: "Trying again…",
    failed: "That did not work",
    refresh: "Get a new code",
  },
  zh: {
    alt: "微信扫码二维码",
    loading: "正在获取二维码…",
    waiting: "请用微信扫一扫",
    waiting_hint: "打开微信，点“+”，选“扫一扫”。",
    wechat: "请长按二维码",
    wechat_hint: "识别后即可继续。",
    phone_hint: "保存图片，打开微信“扫一扫”，从相册选取。",
    save: "保存图片",
    scanned: "请在微信中回复这个数字",
    scanned_hint: "在公众号对话里点选或输入即可。",
    asked: "请在微信中确认",
    asked_hint: "公众号正在询问是否本人操作。",
    confirmed: "已确认",
    bound: "微信绑定成功",
    already_bound: "此微信此前已绑定",
    declined: "已在手机上拒绝",
    wrong_number: "数字不正确",
    wrong_number_hint: "为安全起见，此二维码已作废。",
    wechat_taken: "此微信已绑定其他账号",
    wechat_taken_hint: "请先在那个账号中解绑。",
    user_taken: "此账号已绑定其他微信",
    user_taken_hint: "请先解绑原来的微信。",
    expiring: "二维码即将失效",
    expired: "二维码已失效",
    cancelled: "二维码已被替换",
    offline: "暂时无法连接",
    offline_hint: "正在重试…",
    limited: "操作过于频繁",
    limited_hint: "正在重试…",
    failed: "出错了",
    refresh: "换一个二维码",
  },
};

const ICONS = {
  phone: "M8 3h8v18H8zM11 18h2",
  done: "M5 12.5l4.5 4.5L19 7.5",
  no: "M7 7l10 10M17 7L7 17",
  again: "M19 12a7 7 0 1 1-2.2-5.1M19 3.5V8h-4.5",
  wait: "M12 3a9 9 0 1 0 9 9",
};
const ICON_OF = {
  loading: "wait", limited: "wait", offline: "wait", scanned: "phone", confirmed: "done",
  declined: "no", wrong_number: "no", wechat_taken: "no", user_taken: "no", failed: "no",
};

const STYLE = `
:host { display: inline-block; inline-size: calc(var(--scanbind-size, 12.5rem) + 5rem); max-inline-size: 100% }
:host([hidden]), [hidden] { display: none !important }
:host([theme=light]) { color-scheme: light }
:host([theme=dark]) { color-scheme: dark }
:host([theme=auto]) { color-scheme: light dark }
* { box-sizing: border-box; margin: 0 }
.box {
  --accent: var(--scanbind-accent, light-dark(#067a3a, #3ecf7a)); --side: var(--scanbind-size, 12.5rem);
  display: grid; justify-items: center; align-content: center; gap: .75rem; min-block-size: calc(var(--side) + 8.25rem);
  padding: 1.25rem 1rem; text-align: center; font: 1rem/1.4 var(--scanbind-font, system-ui, sans-serif);
  color: var(--scanbind-text, light-dark(#1b1f23, #eceff1));
  background: var(--scanbind-background, light-dark(#fff, #1d2023));
  border: 1px solid light-dark(#d8dde1, #3a4046); border-radius: var(--scanbind-radius, 1rem);
}
.code, .match { display: grid; place-items: center; inline-size: 100%; max-inline-size: var(--side); aspect-ratio: 1; border-radius: .75rem; overflow: hidden }
.image { inline-size: 100%; block-size: 100%; background: #fff; forced-color-adjust: none }
.icon, .match { color: var(--accent); background: color-mix(in srgb, currentColor 10%, transparent) }
.icon { inline-size: 44%; padding: 10%; border-radius: 50%; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }
.icon.no { color: light-dark(#c0271d, #ff8f85) }
.icon.again, .icon.wait { color: light-dark(#5f6a73, #a8b2ba) }
@keyframes turn { to { rotate: 1turn } }
.match { order: -1; margin-block-end: .5rem; font-size: 6.5rem; font-weight: 700; line-height: 1 }
.said { display: grid; justify-items: center; inline-size: 100%; gap: .25rem; outline: none; overflow-wrap: anywhere }
.status { font-weight: 600 }
.hint, .timer { font-size: .875rem; color: var(--scanbind-muted, light-dark(#59636c, #a8b2ba)) }
.match, .timer { font-variant-numeric: tabular-nums }
.timer.soon { font-weight: 600; color: light-dark(#9a4a00, #ffb868) }
button, .save {
  min-block-size: 2.75rem; padding: .5rem 1.25rem; border: 1px solid transparent; border-radius: .6rem; cursor: pointer; font: inherit; font-weight: 600;
  text-decoration: none; color: light-dark(#fff, #06210f); background: var(--accent); display: inline-grid; place-items: center;
}
button:hover, .save:hover { filter: brightness(.93) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
@media (prefers-reduced-motion: no-preference) { .icon.wait path { transform-origin: center; animation: turn 1.2s linear infinite } }
`;

const at = (path) => new URL(`.${path}`, BASE_URL);

async function ask(url, { secret, body, headers, ...how } = {}) {
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    body: body && JSON.stringify(body),
    headers: {
      ...(body && { "Content-Type": "application/json" }),
      ...(secret && { Authorization: `Bearer ${secret}` }),
      ...headers,
    },
    credentials: "omit",
    ...how,
  });
  if (response.ok || response.status === 304) return response;
  const { status } = response;
  throw Object.assign(new Error(status), { status, wait: response.headers.get("Retry-After") * 1000 });
}

/** Yield the fields of each block of an event stream; a comment has none. */
async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", chunk; !(chunk = await reader.read()).done; ) {
    const whole = (rest + chunk.value).split("\n\n");
    rest = whole.pop();
    for (const block of whole) yield Object.fromEntries(block.split("\n").map((field) => field.split(/: ?(.*)/s)));
  }
}

/**
 * Agrees with the other tabs of a site on one widget that leads, the one shown last. Only the leader holds a connection
 * to the service, because a browser opens no more than six to one host. All others poll; but those that show the
 * leader's ticket poll only when the leader announces a change.
 */
class TabLeader {
  #sessions = new Set(); // of this tab
  #leader = null; // the session that leads, if it is one of this tab
  #claim = null; // what other tabs are told of it: { at, id, ticket }; `id` decides between two of the same time
  #otherTab = { heardAt: -Infinity }; // the latest claim of a leader in another tab
  #channel = null;
  #heartbeat;

  join(session) {
    this.#sessions.add(session);
    if (this.#channel || !globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(`scanbind ${BASE_URL}`);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#heartbeat = setInterval(() => this.#send(), LEADER_TIMEOUT / 3);
  }

  leave(session) {
    this.#sessions.delete(session);
    if (this.isLeader(session)) {
      this.#send({ free: true });
      this.#leader = this.#claim = null;
    }
    if (this.#sessions.size) return;
    clearInterval(this.#heartbeat);
    this.#channel?.close(); // an open channel would keep the page out of the back/forward cache
    this.#channel = null;
  }

  /** Make a session of this tab the leader. */
  lead(session, ticket) {
    const previous = this.#leader;
    this.#leader = session;
    this.#claim = { at: Date.now(), id: Math.random(), ticket };
    this.#send();
    if (previous && previous !== session) previous.wake();
  }

  isLeader(session) {
    return this.#leader === session;
  }

  /** Whether no tab has a leader. */
  get isVacant() {
    return !this.#leader && Date.now() - this.#otherTab.heardAt > LEADER_TIMEOUT;
  }

  /** Whether the leader is in another tab and will announce what changes on this ticket. */
  announcesChangesOf(ticket) {
    const { ticket: followed, heardAt } = this.#otherTab;
    return !this.#leader && followed === ticket && Date.now() - heardAt < LEADER_TIMEOUT;
  }

  /** Tell other tabs that the leader's ticket has changed, by its new ETag. */
  announceChange(session, etag) {
    if (this.isLeader(session)) this.#send({ news: etag });
  }

  #send(more) {
    if (this.#claim) this.#channel?.postMessage({ ...this.#claim, ...more });
  }

  #receive({ at, id, ticket, free, news }) {
    const own = this.#claim;
    if (free) return void (this.#otherTab = { heardAt: -Infinity });
    if (own && (own.at > at || (own.at === at && own.id > id))) return this.#send();
    this.#otherTab = { ticket, heardAt: Date.now() };
    if (news) for (const session of this.#sessions) session.noteChange(ticket, news);
    const previous = this.#leader;
    this.#leader = this.#claim = null;
    previous?.wake();
  }
}

const tabLeader = new TabLeader();

/** One code after another, each followed to its end. Says what happens through `tell`; knows nothing of looks. */
class Session {
  constructor({ obtain, renews, tell }) {
    Object.assign(this, { obtain, renews, tell, over: false, etag: '""', way: 0 });
  }

  async run() {
    for (let codes = 0; codes <= RENEWALS && !this.over; codes++) {
      this.tell({ status: "loading" });
      this.ticket = null;
      this.ticket = await this.#ticket();
      if (!this.ticket) return;
      this.deadline = Date.now() + this.ticket.expires_in * 1000;
      this.tell((this.state = { status: "pending", ticket: this.ticket.ticket }), this.ticket);
      await this.#follow();
      if (this.state.status !== "expired" || !this.renews) return;
      await this.#seen();
    }
  }

  /** The page is going for good: a login answered now would lead nowhere. A bind is shown again by the next page. */
  drop() {
    if (this.ticket?.purpose !== "login" || this.#done) return;
    const { ticket, secret } = this.ticket;
    ask(at(`/v1/tickets/${ticket}`), { method: "DELETE", secret, keepalive: true }).catch(() => {});
  }

  stop() {
    this.over = true;
    tabLeader.leave(this);
    this.wake();
  }

  /** Look again now; a code that is being made is let be. */
  wake() {
    if (this.ticket || this.over) this.turn?.abort(HUSH);
    this.rouse?.();
  }

  look() {
    if (!document.hidden) this.way = 0;
    else tabLeader.leave(this);
    this.wake();
  }

  /** Poll soon, because another tab knows of a change to this ticket. What it is, only the service says. */
  noteChange(ticket, etag) {
    if (ticket !== this.ticket?.ticket || etag === this.etag) return;
    this.news = true;
    this.wake();
  }

  async #ticket() {
    for (let failures = 0; failures < TRIES; failures++) {
      await this.#seen();
      if (this.over) return null;
      try {
        const made = await this.#timed(LATE, () => this.obtain(this.turn.signal));
        if (made?.ticket && made.secret && made.qr_png && made.expires_in > 0) return made;
        break;
      } catch (error) {
        if (this.over) return null;
        if (error.status < 500 && error.status !== 429) break;
        this.tell({ status: error.status === 429 ? "limited" : "offline" });
        const until = Date.now() + (error.wait || backoff(failures));
        do await this.#pause(until - Date.now());
        while (error.wait && Date.now() < until && !this.over);
      }
    }
    if (!this.over) this.tell({ status: "failed" });
    return null;
  }

  async #follow() {
    this.etag = '""';
    // After a failure a glance tells what is to blame: the line, or this way of waiting in it.
    for (let failures = 0, strikes = 0, blame = 0, fresh = true; !this.#done; ) {
      if (await this.#seen()) fresh = true;
      if (this.over) return;
      tabLeader.join(this);
      if (fresh || tabLeader.isVacant) tabLeader.lead(this, this.ticket.ticket);
      fresh = false;
      const began = Date.now();
      const way = tabLeader.isLeader(this) && !blame ? this.way : 2;
      let pause = this.ticket.poll_after * 1000 || 2000;
      try {
        if (this.news || !tabLeader.announcesChangesOf(this.ticket.ticket)) await this.#ask(way);
        if (blame) {
          if (failures < 2) strikes += blame;
          pause = 0;
        } else if (way < 2) {
          strikes = Date.now() - began < BRIEF ? strikes + 1 : 0;
          if (!strikes) pause = 0;
        }
        failures = blame = 0;
      } catch (error) {
        if (error === HUSH) continue;
        if (error.status < 500 && error.status !== 429) this.#end(Date.now() < this.deadline ? "failed" : "expired");
        else if (error.status !== 429 && ++failures > 1) this.#down();
        blame = way > 1 ? 0 : 2 - this.heard;
        pause = error.wait || backoff(failures);
      }
      if (strikes > 1) [this.way, strikes] = [this.way + 1, 0];
      if (Date.now() > this.deadline + BRIEF && !this.#done) this.#end("expired");
      if (!this.#done) await this.#pause(pause * (0.9 + Math.random() / 5));
    }
    tabLeader.leave(this);
  }

  get #done() {
    return this.over || FINAL.has(this.state.status);
  }

  #ask(way) {
    this.heard = this.news = false;
    const path = `/v1/tickets/${this.ticket.ticket}`;
    const { secret } = this.ticket;
    if (way === 0) return this.#timed(LATE, () => this.#stream(`${path}/events`, secret));
    const held = way === 1 && this.etag !== '""';
    // Browsers ask leave again before each request that names an ETag, so a glance names none.
    const headers = held && { "If-None-Match": this.etag, Prefer: `wait=${HOLD}` };
    return this.#timed(LATE + (held ? HOLD * 1000 : 0), async () => {
      const response = await ask(at(path), { secret, headers, signal: this.turn.signal });
      if (response.status === 200) this.#hear(response.headers.get("ETag"), await response.json());
      else this.#up();
    });
  }

  async #stream(path, secret) {
    const response = await ask(at(path), { secret, signal: this.turn.signal });
    for await (const { id, data } of blocks(response.body)) {
      this.patience(SILENCE);
      this.heard = true;
      if (data) this.#hear(id, JSON.parse(data));
      else this.#up();
    }
  }

  #hear(etag, state) {
    this.deadline = Date.now() + state.expires_in * 1000;
    if (etag === this.etag) return this.#up();
    this.etag = etag;
    this.cut = false;
    tabLeader.announceChange(this, etag);
    this.tell((this.state = state));
  }

  #down() {
    this.cut = true;
    this.tell({ status: "offline" });
  }

  #up() {
    if (this.cut) this.tell(this.state);
    this.cut = false;
  }

  #end(status) {
    this.tell((this.state = { status, ticket: this.ticket.ticket }));
  }

  /** Run `work`, whose requests end with `turn`, for `ms` at most; `patience` gives it more. */
  async #timed(ms, work) {
    let timer;
    const turn = (this.turn = new AbortController());
    this.patience = (more) => {
      clearTimeout(timer);
      timer = setTimeout(() => turn.abort(new Error("no answer")), more);
    };
    this.patience(ms);
    try {
      return await work();
    } catch (error) {
      throw turn.signal.aborted ? turn.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  #pause(ms) {
    return new Promise((done) => {
      const timer = setTimeout(done, Math.min(Math.max(ms, 200) || 200, 600_000));
      this.rouse = () => done(clearTimeout(timer));
    });
  }

  async #seen() {
    if (!document.hidden) return false;
    while (document.hidden && !this.over) await new Promise((done) => (this.rouse = done));
    return true;
  }
}

const backoff = (failures) => 2 ** Math.min(failures, 5) * 500 * (1 + Math.random());

function h(tag, attributes, ...children) {
  const svg = tag === "svg" || tag === "path";
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);

const IN_WECHAT = /MicroMessenger/i.test(navigator.userAgent);
const ON_PHONE = /Android|iPhone|iPad|Mobile|HarmonyOS/i.test(navigator.userAgent);

export class ScanbindQr extends HTMLElement {
  static observedAttributes = [
    "purpose", "client-id", "state", "account", "ticket", "secret", "ticket-url", "lang", "texts",
  ];

  static formAssociated = true;

  #internals = this.attachInternals();
  #source = null;
  #parts = null;
  #session = null;
  #life = null;
  #texts = {};
  #view = { status: "loading" };
  #due = false; // a restart or a drawing waits for this task to end
  #used = ""; // the ticket that was given as an attribute and has been shown

  get status() {
    return this.#view.status;
  }

  /** An async function that returns a new ticket, as `POST /v1/tickets` does; null to let attributes decide. */
  get source() {
    return this.#source;
  }

  set source(obtain) {
    this.#source = obtain;
    if (this.#life && !this.#session) this.#later(); // some set it with every drawing
  }

  get texts() {
    return this.#texts;
  }

  set texts(words) {
    this.#texts = words ?? {};
    this.#draw();
  }

  refresh() {
    const renew = () => this.dispatchEvent(this.#event("renew", {}, { cancelable: true }));
    if (this.#renews()) this.#start();
    else if (renew()) location.reload(); // whoever put the ticket into the page can put a new one there
  }

  connectedCallback() {
    this.#upgrade("source", "texts");
    this.#parts ??= this.#build();
    if (this.#life) return; // only moved
    this.#life = new AbortController();
    const { signal } = this.#life;
    const look = () => this.#session?.look();
    document.addEventListener("visibilitychange", look, { signal });
    addEventListener("pagehide", (event) => event.persisted || this.#session?.drop(), { signal });
    addEventListener("pageshow", (event) => event.persisted && look(), { signal });
    for (const name of ["online", "offline"]) addEventListener(name, () => this.#session?.wake(), { signal });
    this.#later();
    this.#tick();
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#life?.abort();
      this.#session?.stop();
      this.#life = this.#session = null;
      this.#used = "";
    });
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "texts") this.texts = JSON.parse(after || "{}");
    else if (name === "lang") this.#draw();
    else if (this.#life) this.#later();
  }

  #later() {
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      if (!this.#life) return;
      if (this.#renews() || this.#given()) this.#start();
      else console.warn("scanbind-qr: client-id, ticket-url, or ticket and secret are missing");
    });
  }

  #start() {
    this.#session?.stop();
    const session = new Session({
      obtain: (signal) => this.#obtain(signal),
      renews: this.#renews(),
      tell: (state, ticket) => this.#session === session && this.#told(state, ticket),
    });
    this.#session = session;
    session.run();
  }

  #renews() {
    const page = this.purpose === "login" && this.hasAttribute("client-id"); // only a login may begin in a page
    return Boolean(this.source || this.hasAttribute("ticket-url") || page);
  }

  #given() {
    const [ticket, secret] = [this.getAttribute("ticket"), this.getAttribute("secret")];
    return ticket && secret && ticket !== this.#used ? { ticket, secret } : null;
  }

  async #obtain(signal) {
    const { purpose } = this;
    const given = this.#given();
    if (given) {
      const code = await (await ask(at(`/v1/tickets/${given.ticket}/code`), { secret: given.secret, signal })).json();
      this.#used = given.ticket;
      return { ...code, ...given };
    }
    if (this.source) return this.source({ purpose, signal });
    const own = this.getAttribute("ticket-url");
    if (own !== null) {
      const url = new URL(own, document.baseURI);
      return (await ask(url, { body: { purpose }, credentials: "same-origin", signal })).json();
    }
    const body = { purpose, client_id: this.getAttribute("client-id"), lang: this.#lang };
    for (const name of ["state", "account"]) if (this.hasAttribute(name)) body[name] = this.getAttribute(name);
    return (await ask(at("/v1/tickets"), { body, signal })).json();
  }

  get purpose() {
    return this.getAttribute("purpose") ?? "login";
  }

  get #lang() {
    const lang = this.closest("[lang]")?.lang || navigator.language;
    return lang.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  #told(state, ticket) {
    if (ticket) this.#picture(ticket);
    const { code = null, ...view } = state;
    if (view.status === "pending") view.status = "waiting";
    if (view.status === "rejected") view.status = view.reason ?? "failed";
    // What is shown stays good while the line is down.
    this.#change(view.status === "offline" && this.#open ? { ...this.#view, ...view } : { ...view, base: view.status });
    if (view.status === "confirmed") this.#hand({ outcome: view.outcome, code, ticket: view.ticket });
    this.#count();
  }

  /** Hand the code to whoever listens, and to the form around. */
  #hand(detail) {
    const goes = this.dispatchEvent(this.#event("confirmed", detail, { cancelable: true }));
    const { form } = this.#internals;
    if (!goes || !detail.code || !this.hasAttribute("name")) return;
    if (form?.method !== "post") return; // an address is no place for a code
    this.#internals.setFormValue(detail.code);
    form.requestSubmit();
  }

  get #open() {
    return ["waiting", "scanned", "expiring", "offline"].includes(this.status) && Boolean(this.#view.ticket);
  }

  #change(view) {
    const same = view.status === this.#view.status && view.match == this.#view.match; // null or left out
    this.#view = view;
    this.dataset.status = view.status;
    this.#draw();
    if (same && view.status !== "loading") return;
    const { status, match = null, outcome = null, reason = null, ticket = null } = view;
    this.dispatchEvent(this.#event("status", { status, match, outcome, reason, ticket }));
  }

  #event(name, detail, how) {
    return new CustomEvent(`scanbind:${name}`, { detail, bubbles: true, composed: true, ...how });
  }

  #picture({ qr_svg: drawn, qr_png: painted }) {
    // A picture that is pressed long or saved must be one of pixels.
    this.#parts.image.src = ON_PHONE || IN_WECHAT ? `${at(painted)}?size=720` : at(drawn);
    this.#parts.save.href = `${at(painted)}?size=720&download=1`;
  }

  #tick() {
    const { signal } = this.#life;
    let before = Date.now();
    const timer = setInterval(() => {
      const now = Date.now();
      if (now - before > BRIEF && !document.hidden) this.#session?.wake(); // the machine slept
      before = now;
      this.#count();
    }, 1000);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  #count() {
    const left = Math.max(0, Math.ceil((this.#session?.deadline - Date.now()) / 1000)) || 0;
    const { timer } = this.#parts;
    timer.hidden = !this.#open || !left;
    timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    timer.classList.toggle("soon", left <= EXPIRING);
    if (left && left <= EXPIRING && ["waiting", "scanned"].includes(this.status)) {
      this.#change({ ...this.#view, status: "expiring" });
    }
  }

  #build() {
    const p = {
      image: h("img", { class: "image", part: "image", "data-testid": "qr" }),
      path: h("path", {}),
      match: h("p", { class: "match", part: "match", dir: "ltr", "data-testid": "match" }),
      status: h("p", { class: "status", part: "status", "data-testid": "qr-status" }),
      hint: h("p", { class: "hint", part: "hint" }),
      timer: h("p", { class: "timer", part: "timer", role: "timer", dir: "ltr", "data-testid": "timer", hidden: "" }),
      save: h("a", { class: "save", part: "save", download: "wechat.png", "data-testid": "save-image" }),
      button: h("button", { type: "button", part: "button", "data-testid": "refresh-code" }),
    };
    p.icon = h("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, p.path);
    p.said = h("div", { class: "said", role: "status", "aria-atomic": "true", tabindex: "-1" }, p.status, p.match, p.hint);
    p.code = h("div", { class: "code", part: "code" }, p.image, p.icon);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(h("div", { class: "box", part: "box" }, p.code, p.said, p.timer, p.save, p.button));
    p.image.addEventListener("error", () => setTimeout(() => this.#open && (p.image.src += ""), BRIEF));
    p.button.addEventListener("click", () => {
      p.said.focus(); // the button is about to go, and the keyboard must not be left nowhere
      this.refresh();
    });
    return p;
  }

  #draw() {
    if (!this.#parts) return;
    const { code, image, path, icon, match, status, hint, save, button, said } = this.#parts;
    const words = { ...WORDS[this.#lang], ...this.#texts };
    const view = this.#view;
    const shows = this.#open && !view.match && view.base === "waiting";
    const key = view.status === "expiring" ? wording({ ...view, status: view.base }) : wording(view);
    image.hidden = !shows;
    image.alt = words.alt;
    const drawing = ICON_OF[view.base] ?? "again";
    path.setAttribute("d", ICONS[drawing]);
    icon.setAttribute("class", `icon ${drawing}`);
    icon.toggleAttribute("hidden", shows);
    code.hidden = Boolean(view.match);
    write(match, view.match ?? "");
    match.hidden = !view.match;
    write(status, words[key] ?? words.failed);
    const more = view.status === "expiring" ? "expiring" : `${key === "waiting" && ON_PHONE ? "phone" : key}_hint`;
    write(hint, words[more] ?? "");
    write(save, words.save);
    save.hidden = !(shows && ON_PHONE && !IN_WECHAT);
    write(button, words.refresh);
    button.hidden = this.#open || ["loading", "confirmed", "limited", "offline"].includes(view.status);
    said.lang = this.#lang;
  }

  #upgrade(...names) {
    for (const name of names) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }
}

function wording({ status, match, outcome }) {
  if (status === "waiting" && IN_WECHAT) return "wechat";
  if (status === "scanned" && !match) return "asked";
  if (status === "confirmed" && outcome?.endsWith("bound")) return outcome;
  return status;
}

/** Change a text only if it differs, so that it is not read aloud again. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

customElements.get("scanbind-qr") ?? customElements.define("scanbind-qr", ScanbindQr);
