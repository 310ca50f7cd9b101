// <scanbind-qr>: shows a WeChat QR code and follows the status of its ticket (docs/integration.md).
// Text never becomes markup, secrets are sent in headers only, and a hidden page neither polls nor requests QR codes.

const BASE_URL = new URL(".", import.meta.url);
const MAX_RENEWALS = 10; // of expired QR codes, until the user has to request the next one
const MAX_ATTEMPTS = 8; // to get a QR code, until the user has to retry
const LONG_POLL_SECONDS = 25; // for which the service may hold a long poll
const ANSWER_TIMEOUT = 10_000; // ms until a request times out, unless the service holds it
const HELD_TIMEOUT = ANSWER_TIMEOUT + LONG_POLL_SECONDS * 1000; // ms without data until a held request times out
const MIN_HELD_TIME = 3_000; // ms; a connection that ends sooner was not held
const MAX_FAULTS = 2; // of a transport, until its fallback is used
const LEADER_TIMEOUT = 10_000; // ms without a message after which the leader in another tab is considered closed
const EXPIRY_WARNING = 22; // seconds before expiry to show a warning, at least twenty (WCAG 2.2.1)
const EXPIRY_GRACE = 3_000; // ms to wait for the service to report an expiry, until the page assumes it
const SLEEP_GAP = 3_000; // ms between two ticks of a one-second timer after which the machine must have slept
const IMAGE_RETRY = 3_000; // ms until an image that failed to load is loaded again
const FINAL_STATUSES = new Set(["confirmed", "rejected", "expired", "cancelled", "failed"]);
const INTERRUPTED = "interrupted"; // the abort reason of a request to repeat at once
const NO_ETAG = '""'; // before the first state was received

const WORDS = {
  en: {
    alt: "QR code to scan with WeChat",
    loading: "Getting a code…",
    waiting: "Scan with WeChat",
    waiting_hint: "In WeChat, tap + and then Scan.",
    wechat: "Press and hold the QR code",
    wechat_hint: "WeChat will recognise it and continue.",
    phone_hint: "Save the picture, then choose it in WeChat’s scanner.",
    save: "Save the picture",
    scanned: "Reply with this number",
    scanned_hint: "Tap or type it in WeChat.",
    asked: "Confirm in WeChat",
    asked_hint: "Answer the question in the chat.",
    confirmed: "Confirmed",
    bound: "WeChat is connected",
    already_bound: "This WeChat is already connected",
    declined: "Declined on the phone",
    wrong_number: "Wrong number",
    wrong_number_hint: "For your security, this code no longer works.",
    wechat_taken: "This WeChat is connected to another account",
    wechat_taken_hint: "Disconnect it there first.",
    user_taken: "This account is connected to another WeChat",
    user_taken_hint: "Disconnect the other WeChat first.",
    expiring: "This code is about to expire",
    expired: "This code has expired",
    cancelled: "This code was replaced",
    offline: "Cannot connect right now",
    offline_hint: "Trying again…",
    limited: "Too many codes at once",
    limited_hint: "Trying again…",
    failed: "Something went wrong",
    refresh: "Get a new code",
  },
  zh: {
    alt: "微信二维码",
    loading: "正在获取二维码…",
    waiting: "请用微信扫一扫",
    waiting_hint: "打开微信，点击“+”，选择“扫一扫”。",
    wechat: "请长按识别二维码",
    wechat_hint: "识别后按提示操作。",
    phone_hint: "保存后，在微信“扫一扫”中从相册选取。",
    save: "保存图片",
    scanned: "请在微信中回复这个数字",
    scanned_hint: "在公众号聊天中点选或输入即可。",
    asked: "请在微信中确认",
    asked_hint: "请在公众号聊天中确认是否为本人操作。",
    confirmed: "已确认",
    bound: "微信绑定成功",
    already_bound: "此微信已绑定，无需重复绑定",
    declined: "已在手机上拒绝",
    wrong_number: "数字不正确",
    wrong_number_hint: "为安全起见，此二维码已失效。",
    wechat_taken: "此微信已绑定其他账号",
    wechat_taken_hint: "请先在该账号中解绑。",
    user_taken: "此账号已绑定其他微信",
    user_taken_hint: "请先解绑原微信。",
    expiring: "二维码即将过期",
    expired: "二维码已过期",
    cancelled: "二维码已失效",
    offline: "暂时无法连接服务",
    offline_hint: "正在重试…",
    limited: "操作过于频繁",
    limited_hint: "正在重试…",
    failed: "出错了",
    refresh: "刷新二维码",
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
.message { display: grid; justify-items: center; inline-size: 100%; gap: .25rem; outline: none; overflow-wrap: anywhere }
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

const serviceUrl = (path) => new URL(`.${path}`, BASE_URL);

/** Return the response, or throw an error with its `status` and the `wait` of its Retry-After, in ms. */
async function send(url, { secret, body, headers, ...options } = {}) {
  const response = await fetch(url, {
    method: body ? "POST" : "GET",
    body: body && JSON.stringify(body),
    headers: {
      ...(body && { "Content-Type": "application/json" }),
      ...(secret && { Authorization: `Bearer ${secret}` }),
      ...headers,
    },
    credentials: "omit",
    ...options,
  });
  if (response.ok || response.status === 304) return response;
  const { status } = response;
  throw Object.assign(new Error(status), { status, wait: response.headers.get("Retry-After") * 1000 });
}

/** Yield the fields of each event of an event stream; a keep-alive comment has none. */
async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", chunk; !(chunk = await reader.read()).done; ) {
    const events = (rest + chunk.value).split("\n\n");
    rest = events.pop();
    for (const event of events) yield Object.fromEntries(event.split("\n").map((field) => field.split(/: ?(.*)/s)));
  }
}

/** Receive each state of a ticket until the service ends the stream. */
async function streamTicket({ ticket, secret, signal, keepAlive, receive, receiveUnchanged }) {
  const response = await send(serviceUrl(`/v1/tickets/${ticket}/events`), { secret, signal });
  for await (const { id, data } of readEvents(response.body)) {
    keepAlive();
    if (data) receive(id, JSON.parse(data));
    else receiveUnchanged();
  }
}

/** Get the state after the one with this ETag; the service holds the request until there is one. */
function longPollTicket({ etag, ...request }) {
  const headers = { "If-None-Match": etag, Prefer: `wait=${LONG_POLL_SECONDS}` };
  return pollTicket(request, etag === NO_ETAG ? {} : headers);
}

/** Get the current state. Sends no ETag, because browsers repeat the CORS preflight for each request with one. */
async function pollTicket({ ticket, secret, signal, receive, receiveUnchanged }, headers = {}) {
  const response = await send(serviceUrl(`/v1/tickets/${ticket}`), { secret, headers, signal });
  if (response.status === 200) receive(response.headers.get("ETag"), await response.json());
  else receiveUnchanged();
}

/**
 * The transports that follow a ticket. If one does not work, its `fallback` is used. Only the leader may use one that
 * holds a connection. `timeout`: ms to wait for the first data.
 */
const TRANSPORTS = {
  stream: { follow: streamTicket, holdsConnection: true, timeout: ANSWER_TIMEOUT, fallback: "longPoll" },
  longPoll: { follow: longPollTicket, holdsConnection: true, timeout: HELD_TIMEOUT, fallback: "poll" },
  poll: { follow: pollTicket, holdsConnection: false, timeout: ANSWER_TIMEOUT },
};

/**
 * Elects one leader among the widgets in all tabs of a site: the one shown last. Only the leader holds a connection to
 * the service, because a browser opens at most six to one host. The others poll; those that show the leader's ticket
 * poll only when the leader announces a change.
 */
class TabLeader {
  #sessions = new Set(); // of this tab
  #leader = null; // the leading session, if it is in this tab
  #claim = null; // of the leader in this tab: { at, id, ticket }; `id` decides between two claims of the same time
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
    this.#channel?.close(); // an open channel keeps the page out of the back/forward cache
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

  /** Whether the leader is in another tab and announces changes of this ticket. */
  announcesChangesOf(ticket) {
    const { ticket: followed, heardAt } = this.#otherTab;
    return !this.#leader && followed === ticket && Date.now() - heardAt < LEADER_TIMEOUT;
  }

  /** Announce the new ETag of the leader's ticket to other tabs. */
  announceChange(session, etag) {
    if (this.isLeader(session)) this.#send({ news: etag });
  }

  #send(more) {
    if (this.#claim) this.#channel?.postMessage({ ...this.#claim, ...more });
  }

  /** Handle a message of another tab: of two leaders, the one shown last stays. */
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

/** Gets one ticket after another and follows each until it ends. Passes each state to `report`, and draws nothing. */
class Session {
  constructor({ createTicket, canRenew, report }) {
    Object.assign(this, { createTicket, canRenew, report, stopped: false, etag: NO_ETAG, transport: "stream" });
  }

  async run() {
    for (let codes = 0; codes <= MAX_RENEWALS && !this.stopped; codes++) {
      this.report({ status: "loading" });
      this.ticket = null;
      this.ticket = await this.#obtainTicket();
      if (!this.ticket) return;
      this.deadline = Date.now() + this.ticket.expires_in * 1000;
      this.report((this.state = { status: "pending", ticket: this.ticket.ticket }), this.ticket);
      await this.#followTicket();
      if (this.state.status !== "expired" || !this.canRenew) return;
      await this.#waitUntilVisible();
    }
  }

  stop() {
    this.stopped = true;
    tabLeader.leave(this);
    this.wake();
  }

  /** Cancel a login when its page closes, because no page would receive its code. A bind continues without the page. */
  cancel() {
    if (this.ticket?.purpose !== "login" || this.#isFinished) return;
    const { ticket, secret } = this.ticket;
    send(serviceUrl(`/v1/tickets/${ticket}`), { method: "DELETE", secret, keepalive: true }).catch(() => {});
  }

  /** Send the next request now, unless a ticket is being created: that would create two. */
  wake() {
    if (this.ticket || this.stopped) this.controller?.abort(INTERRUPTED);
    this.endPause?.();
  }

  /** When hidden, let another tab lead; when shown again, perhaps in another network, retry the best transport. */
  handleVisibility() {
    if (document.hidden) tabLeader.leave(this);
    else this.transport = "stream";
    this.wake();
  }

  /** Poll now if another tab announces a change that is new here; the announcement does not contain the state. */
  noteChange(ticket, etag) {
    if (ticket !== this.ticket?.ticket || etag === this.etag) return;
    this.changeNoted = true;
    this.wake();
  }

  async #obtainTicket() {
    for (let failures = 0; failures < MAX_ATTEMPTS; failures++) {
      await this.#waitUntilVisible();
      if (this.stopped) return null;
      try {
        const ticket = await this.#runWithTimeout(ANSWER_TIMEOUT, (signal) => this.createTicket(signal));
        if (ticket?.ticket && ticket.secret && ticket.qr_png && ticket.expires_in > 0) return ticket;
        break;
      } catch (error) {
        if (this.stopped) return null;
        if (error.status < 500 && error.status !== 429) break;
        this.report({ status: error.status === 429 ? "limited" : "offline" });
        const until = Date.now() + (error.wait || backoff(failures));
        do await this.#pause(until - Date.now());
        while (error.wait && Date.now() < until && !this.stopped);
      }
    }
    if (!this.stopped) this.report({ status: "failed" });
    return null;
  }

  async #followTicket() {
    const { ticket } = this.ticket;
    this.etag = NO_ETAG;
    let failures = 0; // of consecutive requests
    let faults = 0; // of the transport
    let suspectedFaults = 0; // of the transport, confirmed if the next plain poll succeeds
    let justShown = true;
    while (!this.#isFinished) {
      if (await this.#waitUntilVisible()) justShown = true;
      if (this.stopped) return;
      tabLeader.join(this);
      if (justShown || tabLeader.isVacant) tabLeader.lead(this, ticket);
      justShown = false;
      const startedAt = Date.now();
      const transport = TRANSPORTS[tabLeader.isLeader(this) && !suspectedFaults ? this.transport : "poll"];
      let pause = this.ticket.poll_after * 1000 || 2000;
      try {
        if (this.changeNoted || !tabLeader.announcesChangesOf(ticket)) await this.#request(transport);
        if (suspectedFaults) {
          if (failures < 2) faults += suspectedFaults;
          pause = 0;
        } else if (transport.holdsConnection) {
          faults = Date.now() - startedAt < MIN_HELD_TIME ? faults + 1 : 0;
          if (!faults) pause = 0;
        }
        failures = suspectedFaults = 0;
      } catch (error) {
        if (error === INTERRUPTED) continue;
        if (error.status < 500 && error.status !== 429) this.#end(Date.now() < this.deadline ? "failed" : "expired");
        else if (error.status !== 429 && ++failures > 1) this.#reportOffline();
        // Any connection can break once; a transport that delivered nothing is not retried.
        suspectedFaults = transport.holdsConnection ? (this.receivedData ? 1 : MAX_FAULTS) : 0;
        pause = error.wait || backoff(failures);
      }
      if (faults >= MAX_FAULTS) {
        this.transport = TRANSPORTS[this.transport].fallback;
        faults = 0;
      }
      if (Date.now() > this.deadline + EXPIRY_GRACE && !this.#isFinished) this.#end("expired");
      if (!this.#isFinished) await this.#pause(pause * (0.9 + Math.random() / 5));
    }
    tabLeader.leave(this);
  }

  get #isFinished() {
    return this.stopped || FINAL_STATUSES.has(this.state.status);
  }

  #request({ follow, timeout }) {
    this.receivedData = this.changeNoted = false;
    const { etag } = this;
    // The service does not hold a request without an ETag.
    return this.#runWithTimeout(etag === NO_ETAG ? ANSWER_TIMEOUT : timeout, (signal, setTimer) => {
      const keepAlive = () => {
        this.receivedData = true;
        setTimer(HELD_TIMEOUT);
      };
      const receive = (newEtag, state) => this.#receive(newEtag, state);
      const receiveUnchanged = () => this.#reportOnline();
      return follow({ ...this.ticket, etag, signal, keepAlive, receive, receiveUnchanged });
    });
  }

  #receive(etag, state) {
    this.deadline = Date.now() + state.expires_in * 1000;
    if (etag === this.etag) return this.#reportOnline();
    this.etag = etag;
    this.offline = false;
    tabLeader.announceChange(this, etag);
    this.report((this.state = state));
  }

  #reportOffline() {
    this.offline = true;
    this.report({ status: "offline" });
  }

  #reportOnline() {
    if (this.offline) this.report(this.state);
    this.offline = false;
  }

  #end(status) {
    this.report((this.state = { status, ticket: this.ticket.ticket }));
  }

  /** Run `work(signal, setTimer)`, and abort it after `ms`; `setTimer(ms)` restarts the timeout. */
  async #runWithTimeout(ms, work) {
    const controller = (this.controller = new AbortController());
    let timer;
    const setTimer = (duration) => {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(new Error("no answer")), duration);
    };
    setTimer(ms);
    try {
      return await work(controller.signal, setTimer);
    } catch (error) {
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Wait for `ms`, within the bounds of a reasonable Retry-After; `endPause()` ends it early. */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(Math.max(ms, 200) || 200, 600_000));
      this.endPause = () => resolve(clearTimeout(timer));
    });
  }

  /** Wait until the page is visible; return whether it was hidden. */
  async #waitUntilVisible() {
    if (!document.hidden) return false;
    while (document.hidden && !this.stopped) await new Promise((resolve) => (this.endPause = resolve));
    return true;
  }
}

/** Return the delay after this many failures, in ms. */
const backoff = (failures) => 2 ** Math.min(failures, 5) * 500 * (1 + Math.random());

function createElement(tag, attributes, ...children) {
  const isSvg = tag === "svg" || tag === "path";
  const node = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
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
  #createTicket = null;
  #parts = null;
  #session = null;
  #lifetime = null; // aborts listeners and timers when the element is removed
  #texts = {};
  #view = { status: "loading" }; // the state of the ticket; `base` is the status before "expiring" or "offline"
  #startIsScheduled = false; // so that several attribute changes start one session
  #usedTicket = ""; // the value of the attribute `ticket` whose QR code was fetched

  get status() {
    return this.#view.status;
  }

  /** An async function that returns a new ticket, as `POST /v1/tickets` does; null to use the attributes. */
  get source() {
    return this.#createTicket;
  }

  set source(createTicket) {
    this.#createTicket = createTicket;
    // Frameworks may set it on every render, which must not restart a session.
    if (this.#lifetime && !this.#session) this.#scheduleStart();
  }

  get texts() {
    return this.#texts;
  }

  set texts(texts) {
    this.#texts = texts ?? {};
    this.#render();
  }

  refresh() {
    if (this.#canRenew) return this.#start();
    const reloads = this.dispatchEvent(this.#createEvent("renew", {}, { cancelable: true }));
    if (reloads) location.reload(); // the server that put the ticket into the page can replace it
  }

  connectedCallback() {
    this.#upgradeProperties("source", "texts");
    this.#parts ??= this.#buildParts();
    if (this.#lifetime) return; // moved, not added
    this.#lifetime = new AbortController();
    const { signal } = this.#lifetime;
    const handleVisibility = () => this.#session?.handleVisibility();
    document.addEventListener("visibilitychange", handleVisibility, { signal });
    addEventListener("pagehide", (event) => event.persisted || this.#session?.cancel(), { signal });
    addEventListener("pageshow", (event) => event.persisted && handleVisibility(), { signal });
    for (const name of ["online", "offline"]) addEventListener(name, () => this.#session?.wake(), { signal });
    this.#scheduleStart();
    this.#startTimer();
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#lifetime?.abort();
      this.#session?.stop();
      this.#lifetime = this.#session = null;
      this.#usedTicket = "";
    });
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "texts") this.texts = JSON.parse(after || "{}");
    else if (name === "lang") this.#render();
    else if (this.#lifetime) this.#scheduleStart();
  }

  #scheduleStart() {
    if (this.#startIsScheduled) return;
    this.#startIsScheduled = true;
    queueMicrotask(() => {
      this.#startIsScheduled = false;
      if (!this.#lifetime) return;
      if (this.#canRenew || this.#unusedTicket) this.#start();
      else console.warn("scanbind-qr: client-id, ticket-url, or ticket and secret are missing");
    });
  }

  #start() {
    this.#session?.stop();
    const session = new Session({
      createTicket: (signal) => this.#requestTicket(signal),
      canRenew: this.#canRenew,
      report: (state, ticket) => this.#session === session && this.#showState(state, ticket),
    });
    this.#session = session;
    session.run();
  }

  get #canRenew() {
    const startsLogins = this.purpose === "login" && this.hasAttribute("client-id"); // a page may start logins only
    return Boolean(this.source || this.hasAttribute("ticket-url") || startsLogins);
  }

  get #unusedTicket() {
    const [ticket, secret] = [this.getAttribute("ticket"), this.getAttribute("secret")];
    return ticket && secret && ticket !== this.#usedTicket ? { ticket, secret } : null;
  }

  async #requestTicket(signal) {
    const { purpose } = this;
    const given = this.#unusedTicket;
    if (given) {
      const { ticket, secret } = given;
      const code = await (await send(serviceUrl(`/v1/tickets/${ticket}/code`), { secret, signal })).json();
      this.#usedTicket = ticket;
      return { ...code, ...given };
    }
    if (this.source) return this.source({ purpose, signal });
    const ticketUrl = this.getAttribute("ticket-url");
    if (ticketUrl !== null) {
      const url = new URL(ticketUrl, document.baseURI);
      return (await send(url, { body: { purpose }, credentials: "same-origin", signal })).json();
    }
    const body = { purpose, client_id: this.getAttribute("client-id"), lang: this.#lang };
    for (const name of ["state", "account"]) if (this.hasAttribute(name)) body[name] = this.getAttribute(name);
    return (await send(serviceUrl("/v1/tickets"), { body, signal })).json();
  }

  get purpose() {
    return this.getAttribute("purpose") ?? "login";
  }

  get #lang() {
    const lang = this.closest("[lang]")?.lang || navigator.language;
    return lang.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  #showState(state, ticket) {
    if (ticket) this.#setImage(ticket);
    const { code = null, ...view } = state;
    if (view.status === "pending") view.status = "waiting";
    if (view.status === "rejected") view.status = view.reason ?? "failed";
    // While offline, the QR code or number on the page stays valid.
    const keepsView = view.status === "offline" && this.#hasOpenTicket;
    this.#setView(keepsView ? { ...this.#view, ...view } : { ...view, base: view.status });
    if (view.status === "confirmed") this.#deliverCode({ outcome: view.outcome, code, ticket: view.ticket });
    this.#updateTimer();
  }

  /** Dispatch the one-time code to the page's listeners and, unless one prevents it, submit it with the form. */
  #deliverCode(detail) {
    const submits = this.dispatchEvent(this.#createEvent("confirmed", detail, { cancelable: true }));
    const { form } = this.#internals;
    if (!submits || !detail.code || !this.hasAttribute("name")) return;
    if (form?.method !== "post") return; // GET would put the code into the URL
    this.#internals.setFormValue(detail.code);
    form.requestSubmit();
  }

  get #hasOpenTicket() {
    return ["waiting", "scanned", "expiring", "offline"].includes(this.status) && Boolean(this.#view.ticket);
  }

  #setView(view) {
    const isSame = view.status === this.#view.status && view.match == this.#view.match; // null or undefined
    this.#view = view;
    this.dataset.status = view.status;
    this.#render();
    if (isSame && view.status !== "loading") return;
    const { status, match = null, outcome = null, reason = null, ticket = null } = view;
    this.dispatchEvent(this.#createEvent("status", { status, match, outcome, reason, ticket }));
  }

  #createEvent(name, detail, options) {
    return new CustomEvent(`scanbind:${name}`, { detail, bubbles: true, composed: true, ...options });
  }

  #setImage({ qr_svg: svg, qr_png: png }) {
    // An image to long-press or to save must be a bitmap.
    this.#parts.image.src = ON_PHONE || IN_WECHAT ? `${serviceUrl(png)}?size=720` : serviceUrl(svg);
    this.#parts.save.href = `${serviceUrl(png)}?size=720&download=1`;
  }

  #startTimer() {
    const { signal } = this.#lifetime;
    let previous = Date.now();
    const timer = setInterval(() => {
      const now = Date.now();
      if (now - previous > SLEEP_GAP && !document.hidden) this.#session?.wake(); // the connection may be dead
      previous = now;
      this.#updateTimer();
    }, 1000);
    signal.addEventListener("abort", () => clearInterval(timer));
  }

  #updateTimer() {
    const left = Math.max(0, Math.ceil((this.#session?.deadline - Date.now()) / 1000)) || 0;
    const { timer } = this.#parts;
    timer.hidden = !this.#hasOpenTicket || !left;
    timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    timer.classList.toggle("soon", left <= EXPIRY_WARNING);
    if (left && left <= EXPIRY_WARNING && ["waiting", "scanned"].includes(this.status)) {
      this.#setView({ ...this.#view, status: "expiring" });
    }
  }

  #buildParts() {
    const image = createElement("img", { class: "image", part: "image", "data-testid": "qr" });
    const path = createElement("path", {});
    const icon = createElement("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
    const code = createElement("div", { class: "code", part: "code" }, image, icon);
    const status = createElement("p", { class: "status", part: "status", "data-testid": "qr-status" });
    const match = createElement("p", { class: "match", part: "match", dir: "ltr", "data-testid": "match" });
    const hint = createElement("p", { class: "hint", part: "hint" });
    const spoken = { class: "message", role: "status", "aria-atomic": "true", tabindex: "-1" };
    const message = createElement("div", spoken, status, match, hint);
    const countdown = { class: "timer", part: "timer", role: "timer", dir: "ltr", "data-testid": "timer", hidden: "" };
    const timer = createElement("p", countdown);
    const download = { class: "save", part: "save", download: "wechat.png", "data-testid": "save-image" };
    const save = createElement("a", download);
    const button = createElement("button", { type: "button", part: "button", "data-testid": "refresh-code" });
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(createElement("div", { class: "box", part: "box" }, code, message, timer, save, button));
    image.addEventListener("error", () => setTimeout(() => this.#hasOpenTicket && (image.src += ""), IMAGE_RETRY));
    button.addEventListener("click", () => {
      message.focus(); // the button will be hidden, and the keyboard focus must not be lost
      this.refresh();
    });
    return { image, path, icon, code, status, match, hint, message, timer, save, button };
  }

  #render() {
    if (!this.#parts) return;
    const { code, image, path, icon, match, status, hint, save, button, message } = this.#parts;
    const texts = { ...WORDS[this.#lang], ...this.#texts };
    const view = this.#view;
    const showsCode = this.#hasOpenTicket && !view.match && view.base === "waiting";
    const textKey = view.status === "expiring" ? textKeyFor({ ...view, status: view.base }) : textKeyFor(view);
    image.hidden = !showsCode;
    image.alt = texts.alt;
    const iconName = ICON_OF[view.base] ?? "again";
    path.setAttribute("d", ICONS[iconName]);
    icon.setAttribute("class", `icon ${iconName}`);
    icon.toggleAttribute("hidden", showsCode);
    code.hidden = Boolean(view.match);
    setText(match, view.match ?? "");
    match.hidden = !view.match;
    setText(status, texts[textKey] ?? texts.failed);
    const hintKey = `${textKey === "waiting" && ON_PHONE ? "phone" : textKey}_hint`;
    setText(hint, texts[view.status === "expiring" ? "expiring" : hintKey] ?? "");
    setText(save, texts.save);
    save.hidden = !(showsCode && ON_PHONE && !IN_WECHAT);
    setText(button, texts.refresh);
    button.hidden = this.#hasOpenTicket || ["loading", "confirmed", "limited", "offline"].includes(view.status);
    message.lang = this.#lang;
  }

  /** Apply properties that were set before the element was defined. */
  #upgradeProperties(...names) {
    for (const name of names) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }
}

function textKeyFor({ status, match, outcome }) {
  if (status === "waiting" && IN_WECHAT) return "wechat";
  if (status === "scanned" && !match) return "asked";
  if (status === "confirmed" && outcome?.endsWith("bound")) return outcome;
  return status;
}

/** Set a text only if it differs; otherwise screen readers would read it again. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

customElements.get("scanbind-qr") ?? customElements.define("scanbind-qr", ScanbindQr);
