// <scanbind-qr>: shows a WeChat QR code and follows its ticket (docs/adr/0008, 0021).
// Text never becomes markup; secrets are sent in headers only. Names with _ are private.

const BASE_URL = new URL(".", import.meta.url);
const MAX_RENEWALS = 10; // of expired QR codes
const MAX_ATTEMPTS = 8; // to get a QR code
const MAX_FAULTS = 2; // of a transport
const LONG_POLL_SECONDS = 25;
const EXPIRY_WARNING = 22; // seconds, at least twenty (WCAG 2.2.1)
// In milliseconds:
const ANSWER_TIMEOUT = 10_000;
const HELD_TIMEOUT = ANSWER_TIMEOUT + LONG_POLL_SECONDS * 1000; // without data
const MIN_HELD_TIME = 3_000; // a connection that ends sooner was not held
const LEADER_TIMEOUT = 10_000; // without a message
const EXPIRY_GRACE = 3_000; // for the service to report it
const SLEEP_GAP = 3_000; // of a one-second timer: the machine slept
const IMAGE_RETRY = 3_000;
const SCRIPT_GRACE = 3_000; // for a script that sends the form
const INTERRUPTED = "interrupted"; // to repeat at once
const NO_ETAG = '""';

const WORDS = {
  en: {
    alt: "QR code to scan with WeChat",
    loading: "Getting a code…",
    waiting: "Scan with WeChat",
    waiting_hint: "In WeChat, tap + and then Scan.",
    wechat: "Press and hold the QR code",
    wechat_hint: "WeChat will recognise it and continue.",
    phone_hint: "Save the picture, then choose it in WeChat’s scanner.",
    passcode: "Send this code in WeChat",
    passcode_hint: "To the account {name}.",
    picture_hint: "Scan to open {name}, and send it there.",
    save: "Save the picture",
    scanned: "Reply with this number",
    scanned_hint: "Tap or type it in WeChat.",
    asked: "Confirm in WeChat",
    asked_hint: "Answer the question there.",
    confirmed: "Confirmed",
    undelivered: "Confirmed on your phone",
    undelivered_hint: "If nothing happens, get a new code.",
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
    redirect_hint: "You will come back here.",
    go: "Go to WeChat",
    open: "Open WeChat",
    method_scan: "Scan with WeChat",
    method_link: "Open in WeChat",
    method_miniprogram: "Scan for the mini program",
    method_passcode: "Send a code",
    method_website: "Scan on WeChat’s page",
    method_h5: "Continue with WeChat",
    method_wecom: "Use WeCom",
  },
  zh: {
    alt: "微信二维码",
    loading: "正在获取二维码…",
    waiting: "请用微信扫一扫",
    waiting_hint: "打开微信，点击“+”，选择“扫一扫”。",
    wechat: "请长按识别二维码",
    wechat_hint: "识别后按提示操作。",
    phone_hint: "保存后，在微信“扫一扫”中从相册选取。",
    passcode: "请在微信中发送此验证码",
    passcode_hint: "发送给公众号“{name}”。",
    picture_hint: "扫码进入公众号“{name}”并发送。",
    save: "保存图片",
    scanned: "请在微信中回复这个数字",
    scanned_hint: "点选或输入即可。",
    asked: "请在微信中确认",
    asked_hint: "请确认是否为本人操作。",
    confirmed: "已确认",
    undelivered: "已在手机上确认",
    undelivered_hint: "如无反应，请刷新二维码重试。",
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
    redirect_hint: "完成后将返回此页面。",
    go: "前往微信页面",
    open: "打开微信",
    method_scan: "微信扫码",
    method_link: "在微信中打开",
    method_miniprogram: "小程序扫码",
    method_passcode: "发送验证码",
    method_website: "网站扫码",
    method_h5: "微信授权",
    method_wecom: "企业微信",
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
:host([data-panel]) { inline-size: 21rem }
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
.icon { inline-size: 44%; padding: 10%; border-radius: 50%; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }
.icon.no { color: light-dark(#c0271d, #ff8f85) }
.icon.again, .icon.wait { color: light-dark(#5f6a73, #a8b2ba) }
@keyframes turn { to { transform: rotate(1turn) } }
.match { order: -1; margin-block-end: .5rem; font-size: 6.5rem; font-weight: 700; line-height: 1 }
.message { display: grid; justify-items: center; inline-size: 100%; gap: .25rem; outline: none; overflow-wrap: anywhere }
.status { font-weight: 600 }
.status, .hint { unicode-bidi: plaintext }
.hint, .timer { font-size: .875rem; color: var(--scanbind-muted, light-dark(#59636c, #a8b2ba)) }
.passcode { font-size: 2rem; font-weight: 700; user-select: all }
.match, .timer { font-variant-numeric: tabular-nums }
.timer.soon { font-weight: 600; color: light-dark(#9a4a00, #ffb868) }
.panel { inline-size: 100%; block-size: 25rem; border: 0 }
button, a {
  min-block-size: 2.75rem; padding: .5rem 1.25rem; border: 1px solid transparent; border-radius: .6rem; cursor: pointer; font: inherit; font-weight: 600;
  text-decoration: none; color: light-dark(#fff, #06210f); background: var(--accent); display: inline-grid; place-items: center;
}
.method, :host([data-panel]) .go { padding: .5rem; color: var(--accent); background: none; font-size: .875rem }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
@media (prefers-reduced-motion: no-preference) { .icon.wait path { transform-origin: center; animation: turn 1.2s linear infinite } }
`;

const serviceUrl = (path) => new URL(`.${path}`, BASE_URL);

/** Return the response, or throw an error with `status`, and Retry-After as `wait`. */
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
  const { detail = "" } = await response.json().catch(() => ({}));
  const wait = response.headers.get("Retry-After") * 1000;
  throw Object.assign(new Error(`${response.url} answered ${status}. ${detail}`), { status, wait });
}

async function sendForJson(url, options) {
  const response = await send(url, options);
  return response.json().catch((error) => {
    throw Object.assign(error, { message: `${response.url} answered no JSON` });
  });
}

const isRefusal = ({ status }) => status >= 400 && status < 500 && status !== 429;

async function streamTicket({ ticket, secret, signal, receive }) {
  const { body } = await send(serviceUrl(`/v1/tickets/${ticket}/events`), { secret, signal });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (let rest = "", chunk; !(chunk = await reader.read()).done; ) {
    const events = (rest + decoder.decode(chunk.value, { stream: true })).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const { id, data } = Object.fromEntries(event.split("\n").map((field) => field.split(/: ?(.*)/s)));
      receive(id, data && JSON.parse(data));
    }
  }
}

/** Get the state after the one with this ETag. */
function longPollTicket({ etag, ...request }) {
  const headers = { "If-None-Match": etag, Prefer: `wait=${LONG_POLL_SECONDS}` };
  return pollTicket(request, etag === NO_ETAG ? {} : headers);
}

/** Without an ETag, which would cause a CORS preflight each time. */
async function pollTicket({ ticket, secret, signal, receive }, headers = {}) {
  const response = await send(serviceUrl(`/v1/tickets/${ticket}`), { secret, headers, signal });
  receive(response.headers.get("ETag"), response.status === 200 && (await response.json()));
}

/** Those with a `fallback` hold a connection, as only the leader may. */
const TRANSPORTS = {
  stream: { follow: streamTicket, timeout: ANSWER_TIMEOUT, fallback: "longPoll" },
  longPoll: { follow: longPollTicket, timeout: HELD_TIMEOUT, fallback: "poll" },
  poll: { follow: pollTicket, timeout: ANSWER_TIMEOUT },
};

/** Elects a leader in all tabs, the widget shown last. Others poll, or await its news of the same ticket. */
class TabLeader {
  constructor() {
    this._sessions = new Set(); // of this tab
    this._leader = this._claim = null; // if in this tab
    this._otherTab = { heardAt: -Infinity };
  }

  join(session) {
    this._sessions.add(session);
    if (this._channel || !globalThis.BroadcastChannel) return;
    this._channel = new BroadcastChannel(`scanbind ${BASE_URL}`);
    this._channel.onmessage = ({ data }) => this._receive(data);
    this._heartbeat = setInterval(() => this._send(), LEADER_TIMEOUT / 3);
  }

  leave(session) {
    this._sessions.delete(session);
    if (this.isLeader(session)) {
      this._send({ free: true });
      this._leader = this._claim = null;
    }
    if (this._sessions.size) return;
    clearInterval(this._heartbeat);
    this._channel?.close(); // for the back/forward cache
    this._channel = null;
  }

  lead(session, ticket) {
    const previous = this._leader;
    this._leader = session;
    this._claim = { at: Date.now() + Math.random(), ticket };
    this._send();
    if (previous && previous !== session) previous.wake();
  }

  isLeader(session) {
    return this._leader === session;
  }

  get _hearsOther() {
    return Date.now() - this._otherTab.heardAt < LEADER_TIMEOUT;
  }

  get isVacant() {
    return !this._leader && !this._hearsOther;
  }

  /** Whether another tab announces them. */
  announcesChangesOf(ticket) {
    return !this._leader && this._hearsOther && this._otherTab.ticket === ticket;
  }

  announceChange(session, etag) {
    if (this.isLeader(session)) this._send({ news: etag });
  }

  _send(more) {
    if (this._claim) this._channel?.postMessage({ ...this._claim, ...more });
  }

  _receive({ at, ticket, free, news }) {
    const own = this._claim;
    if (free) return void (this._otherTab = { heardAt: -Infinity });
    if (own?.at > at) return this._send();
    this._otherTab = { ticket, heardAt: Date.now() };
    if (news) for (const session of this._sessions) session.noteChange(ticket, news);
    const previous = this._leader;
    this._leader = this._claim = null;
    previous?.wake();
  }
}

const tabLeader = new TabLeader();

/** Gets and follows tickets, one after another. */
class Session {
  constructor(options) {
    Object.assign(this, { ...options, state: {}, stopped: false, etag: NO_ETAG, transport: "stream" });
  }

  async run() {
    for (let codes = 0; codes <= MAX_RENEWALS && !this.stopped; codes++) {
      this.report({ status: "loading" });
      this.ticket = null;
      this.ticket = await this._obtainTicket();
      if (!this.ticket) return;
      this.deadline = Date.now() + this.ticket.expires_in * 1000;
      this.report((this.state = { status: "pending", ticket: this.ticket.ticket }), this.ticket);
      await this._followTicket();
      if (this.state.status !== "expired" || !this.canRenew) return;
      await this._waitUntilSeen();
    }
  }

  stop() {
    this.stopped = true;
    tabLeader.leave(this);
    this.wake();
  }

  /** For a page that closes: a bind needs no page, and a redirect leaves it. */
  cancel() {
    if (this.ticket?.purpose !== "login" || this.ticket.authorize_url || this._isFinished) return;
    const { ticket, secret } = this.ticket;
    send(serviceUrl(`/v1/tickets/${ticket}`), { method: "DELETE", secret, keepalive: true }).catch(() => {});
  }

  /** Send the next request now, unless it creates a ticket. */
  wake() {
    if (this.ticket || this.stopped) this.abort?.(INTERRUPTED);
    this.endPause?.();
  }

  /** Whether to request nothing; a scanned ticket is followed unseen. */
  get isIdle() {
    return document.hidden || !(this.isSeen() || this.state.status === "scanned");
  }

  /** When idle, let another tab lead; then retry the best transport. */
  handleVisibility() {
    if (this.isIdle) tabLeader.leave(this);
    else this.transport = "stream";
    this.wake();
  }

  noteChange(ticket, etag) {
    if (ticket !== this.ticket?.ticket || etag === this.etag) return;
    this.noted = etag;
    this.wake();
  }

  async _obtainTicket() {
    let error;
    for (let failures = 0; failures < MAX_ATTEMPTS; failures++) {
      await this._waitUntilSeen();
      if (this.stopped) return null;
      try {
        const ticket = await this._runWithTimeout(ANSWER_TIMEOUT, (signal) => this.createTicket(signal));
        const shown = ticket?.qr_png || ticket?.passcode || ticket?.authorize_url;
        if (shown && ticket.ticket && ticket.secret && ticket.expires_in > 0) return ticket;
        error = { message: "the answer is no ticket" };
        break;
      } catch (caught) {
        if (this.stopped) return null;
        error = caught;
        if (isRefusal(error) || error.name === "SyntaxError" || (error.isUnlisted && failures)) break;
        this.report({ status: error.status === 429 ? "limited" : "offline", error });
        const until = Date.now() + (error.wait || backoff(failures));
        do await this._pause(until - Date.now());
        while (error.wait && Date.now() < until && !this.stopped);
      }
    }
    if (!this.stopped) this.report({ status: "failed", error });
    return null;
  }

  async _followTicket() {
    const { ticket } = this.ticket;
    this.etag = NO_ETAG;
    let failures = 0; // of consecutive requests
    let faults = 0; // of the transport
    let suspectedFaults = 0; // until a poll succeeds
    let justShown = true;
    while (!this._isFinished) {
      if (await this._waitUntilSeen()) justShown = true;
      if (this.stopped) return;
      tabLeader.join(this);
      if (justShown || tabLeader.isVacant) tabLeader.lead(this, ticket);
      justShown = false;
      const startedAt = Date.now();
      const transport = TRANSPORTS[tabLeader.isLeader(this) && !suspectedFaults ? this.transport : "poll"];
      let pause = this.ticket.poll_after * 1000 || 2000;
      try {
        const { noted } = this;
        if (noted || suspectedFaults || !tabLeader.announcesChangesOf(ticket)) await this._request(transport);
        if (noted === this.noted) this.noted = null;
        if (suspectedFaults) {
          if (failures < 2) faults += suspectedFaults;
          pause = 0;
        } else if (transport.fallback) {
          faults = Date.now() - startedAt < MIN_HELD_TIME ? faults + 1 : 0;
          if (!faults) pause = 0;
        }
        failures = suspectedFaults = 0;
      } catch (error) {
        if (error === INTERRUPTED) continue;
        if (isRefusal(error)) Date.now() < this.deadline ? this._end("failed", error) : this._end("expired");
        else if (error.status !== 429 && ++failures > 1) {
          this.offline = true;
          this.report({ status: "offline" });
        }
        // A connection that delivered something may break once.
        suspectedFaults = transport.fallback ? (this.receivedData ? 1 : MAX_FAULTS) : 0;
        pause = error.wait || backoff(failures);
      }
      if (faults >= MAX_FAULTS) {
        this.transport = TRANSPORTS[this.transport].fallback;
        faults = 0;
      }
      if (Date.now() > this.deadline + EXPIRY_GRACE && !this._isFinished) this._end("expired");
      if (!this._isFinished) await this._pause(pause * (0.9 + Math.random() / 5));
    }
    tabLeader.leave(this);
  }

  get _isFinished() {
    return this.stopped || !["pending", "scanned"].includes(this.state.status);
  }

  _request({ follow, timeout }) {
    this.receivedData = false;
    const { etag } = this;
    // Not held without an ETag.
    return this._runWithTimeout(etag === NO_ETAG ? ANSWER_TIMEOUT : timeout, (signal, setTimer) => {
      const receive = (newEtag, state) => {
        this.receivedData = true;
        setTimer(HELD_TIMEOUT);
        this._receive(newEtag, state || this.state);
      };
      return follow({ ...this.ticket, etag, signal, receive });
    });
  }

  _receive(etag, state) {
    const { status, match } = this.state;
    this.etag = etag ?? this.etag;
    if (state !== this.state) this.deadline = Date.now() + state.expires_in * 1000;
    // Proxies change ETags.
    if (state.status !== status || state.match != match) {
      tabLeader.announceChange(this, etag ?? state.status);
      this.report((this.state = state));
    } else if (this.offline) this.report(state);
    this.offline = false;
  }

  _end(status, error) {
    this.report((this.state = { status, ticket: this.ticket.ticket, error }));
  }

  /** Run `work`; abort it after `ms`, or as it sets by `setTimer(ms)`. */
  async _runWithTimeout(ms, work) {
    const controller = new AbortController();
    let reason = null; // older browsers have no signal.reason
    let timer;
    this.abort = (why) => {
      reason = reason ?? why;
      controller.abort();
    };
    const setTimer = (duration) => {
      clearTimeout(timer);
      timer = setTimeout(() => this.abort(new Error("no answer in time")), duration);
    };
    setTimer(ms);
    try {
      return await work(controller.signal, setTimer);
    } catch (error) {
      throw reason ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  _pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(Math.max(ms, 200) || 200, 600_000));
      this.endPause = () => resolve(clearTimeout(timer));
    });
  }

  async _waitUntilSeen() {
    if (!this.isIdle) return false;
    while (this.isIdle && !this.stopped) await new Promise((resolve) => (this.endPause = resolve));
    return true;
  }
}

const backoff = (failures) => 2 ** Math.min(failures, 5) * 500 * (1 + Math.random());

function createElement(tag, attributes, ...children) {
  const isSvg = tag === "svg" || tag === "path";
  const node = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function addStyle(root) {
  const hasThemes = CSS.supports("color", "light-dark(#000, #fff)"); // else it is light
  const style = hasThemes ? STYLE : STYLE.replace(/light-dark\((#\w+), #\w+\)/g, "$1");
  if (!root.adoptedStyleSheets) return root.append(createElement("style", {}, style));
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [sheet];
}

// WeChat also runs on PCs, WeCom (wxwork) names WeChat, and iPadOS says Macintosh.
const isAgent = (pattern) => pattern.test(navigator.userAgent);
const ON_IPAD = isAgent(/iPad/) || (isAgent(/Macintosh/) && navigator.maxTouchPoints > 1);
const ON_PC = !ON_IPAD && isAgent(/Windows|Mac(intosh|Wechat)|X11|CrOS|\((PC|2in1);/);
const ON_TOUCH = ON_IPAD || (!ON_PC && isAgent(/Android|iPhone|Mobile|Harmony/));
const ON_PHONE = ON_TOUCH && !ON_IPAD && isAgent(/Mobile|iPhone/) && !isAgent(/Tablet/);
const BY_WECOM = isAgent(/wxwork/i);
const BY_WECHAT = isAgent(/MicroMessenger/i) && !BY_WECOM;
const IN_WECHAT = ON_TOUCH && BY_WECHAT;

/** Whether a method can be used here. A phone cannot scan what its screen shows live; WeChat reads saved pictures. */
const IS_USABLE = {
  scan: true,
  link: true,
  miniprogram: true,
  passcode: true,
  website: !ON_PHONE && !IN_WECHAT,
  wecom: BY_WECOM || (!ON_PHONE && !IN_WECHAT),
  h5: BY_WECHAT,
};
const REDIRECTS = ["website", "wecom", "h5"];

export class ScanbindQr extends HTMLElement {
  static get observedAttributes() {
    const ofTicket = ["purpose", "client-id", "state", "account", "method", "return-url"];
    return [...ofTicket, "ticket", "secret", "ticket-url", "lang", "texts"];
  }

  constructor() {
    super();
    this._texts = {};
    this._view = { status: "loading" }; // `base`: the status before "expiring" or "offline"
    this._ticket = {};
    this._methods = []; // to choose from
  }

  get status() {
    return this._view.status;
  }

  get source() {
    return this._createTicket ?? null;
  }

  set source(createTicket) {
    this._createTicket = createTicket;
    // Frameworks set it on every render.
    if (this._timer && !this._session) this._scheduleStart();
  }

  get texts() {
    return this._texts;
  }

  set texts(texts) {
    this._texts = texts ?? {};
    this._render();
  }

  refresh() {
    if (this._canRenew) return this._start();
    if (this._emit("renew", {})) location.reload();
  }

  _choose(method) {
    if (!this._canRenew) return this._emit("method", { method });
    this._session?.cancel();
    this._choice = method;
    this._ticket = { method };
    this._start();
  }

  connectedCallback() {
    for (const name of ["source", "texts"]) {
      if (!this.hasOwnProperty(name)) continue; // set before the definition
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
    this._parts ??= this._buildParts();
    if (this._timer) return; // moved, not added
    this._listen("addEventListener");
    this._startTimer();
    this._scheduleStart();
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this._listen("removeEventListener");
      clearInterval(this._timer);
      this._observer?.disconnect();
      this._session?.stop();
      this._timer = this._session = null;
      this._isSeen = false;
      this._usedTicket = "";
    });
  }

  _listen(method) {
    document[method]("visibilitychange", this);
    for (const name of ["pagehide", "pageshow", "online", "offline", "message"]) window[method](name, this);
  }

  handleEvent(event) {
    const { type, persisted } = event;
    if (type === "message") this._hear(event);
    else if (type === "pagehide") persisted || this._session?.cancel();
    else if (type.endsWith("line")) this._session?.wake();
    else if (persisted && this.purpose === "login" && this._needsNewTicket) this.refresh();
    else if (type !== "pageshow" || persisted) this._session?.handleVisibility();
  }

  /** Whether a visitor who comes back to the page does: the old one is over, or its redirect was begun. */
  get _needsNewTicket() {
    return this._ticket.authorize_url || /confirmed|delivered/.test(this.status);
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "texts") {
      this._fault = null;
      try {
        this.texts = JSON.parse(after || "{}");
      } catch {
        this._explain((this._fault = "texts is not JSON"));
      }
    } else if (name === "lang") this._render();
    else if (this._timer) this._scheduleStart();
  }

  _scheduleStart() {
    if (this._startIsScheduled) return;
    this._startIsScheduled = true;
    queueMicrotask(() => {
      this._startIsScheduled = false;
      if (!this._timer) return;
      if (this._canRenew || this._unusedTicket) return this._start();
      if (this._session) return;
      const client = this.purpose === "login" ? "client-id or " : "";
      this._showState({ status: "failed", error: { message: `missing: ${client}ticket-url or ticket and secret` } });
    });
  }

  _start() {
    this._session?.stop();
    this._setPanel();
    this._field?.remove();
    const session = new Session({
      createTicket: (signal) => this._requestUsableTicket(signal),
      canRenew: this._canRenew,
      isSeen: () => this._isSeen,
      report: (state, ticket) => this._session === session && this._showState(state, ticket),
    });
    this._session = session;
    session.run();
  }

  get _startsLogins() {
    return this.purpose === "login" && this.hasAttribute("client-id");
  }

  /** Whether the site's back end creates tickets for the element. */
  get _asksSite() {
    return Boolean(this.source || this.hasAttribute("ticket-url"));
  }

  get _canRenew() {
    return this._asksSite || this._startsLogins;
  }

  get _unusedTicket() {
    const [ticket, secret] = [this.getAttribute("ticket"), this.getAttribute("secret")];
    return ticket && secret && ticket !== this._usedTicket ? { ticket, secret } : null;
  }

  /** Request a ticket; and another one if its method cannot be used here, or WeChat itself can do better. */
  async _requestUsableTicket(signal) {
    const fixed = this.getAttribute("method");
    const ticket = await this._requestTicket(signal, fixed ?? this._choice);
    const { method, methods = [] } = Object(ticket);
    const usable = fixed ? [] : methods.filter((one) => IS_USABLE[one]);
    const canReturn = this._asksSite || !this._startsLogins || this.hasAttribute("return-url");
    this._methods = usable.filter((one) => canReturn || !REDIRECTS.includes(one));
    this._lacksReturn = this._methods.length < usable.length;
    const best = this._methods.includes("h5") ? "h5" : this._methods[0];
    const isGood = best === "h5" ? method === best : this._methods.includes(method);
    if (this._choice || isGood || !best || !this._canRenew) return ticket;
    this._choice = best;
    return this._requestTicket(signal, best);
  }

  async _requestTicket(signal, method) {
    const { purpose } = this;
    const given = this._unusedTicket;
    if (given) {
      const { ticket, secret } = given;
      const code = await this._call(`/v1/tickets/${ticket}/code`, { secret, signal });
      this._usedTicket = ticket;
      return { ...code, ...given };
    }
    if (this.source) return this.source({ purpose, method, signal });
    const ticketUrl = this.getAttribute("ticket-url");
    if (ticketUrl !== null) {
      const url = new URL(ticketUrl, document.baseURI);
      return sendForJson(url, { body: { purpose, method }, credentials: "same-origin", signal });
    }
    const body = { purpose, method, client_id: this.getAttribute("client-id"), lang: this._lang };
    // An account is not the app of a method that the visitor chose.
    const isOfApp = this._choice && !this.hasAttribute("method") && /website|wecom|mini/.test(method);
    for (const name of ["state", "return-url", !isOfApp && "account"]) {
      if (name && this.hasAttribute(name)) body[name.replace("-", "_")] = this.getAttribute(name);
    }
    return this._call("/v1/tickets", { body, signal });
  }

  /** Call the service. A page of an unlisted origin may still read the script. */
  async _call(path, options) {
    try {
      return await sendForJson(serviceUrl(path), options);
    } catch (error) {
      if (error.name !== "TypeError") throw error;
      const again = { cache: "no-store", signal: options.signal };
      const isUnlisted = await fetch(import.meta.url, again).then(({ ok }) => ok, () => false);
      const fault = isUnlisted
        ? `does not list ${origin} in clients.${this.getAttribute("client-id") ?? "NAME"}.origins`
        : "cannot be reached, or connect-src forbids it";
      throw Object.assign(new Error(`${BASE_URL} ${fault}`), { isUnlisted });
    }
  }

  get purpose() {
    return this.getAttribute("purpose") ?? "login";
  }

  get _lang() {
    const lang = this.closest("[lang]")?.lang || navigator.language;
    return lang.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  _showState(state, ticket) {
    const { code = null, error, ...view } = state;
    if (error) this._explain(error.message);
    if (ticket) {
      this._setTicket(ticket);
      const needed = ["state", this.closest("form") && "name", this._lacksReturn && "return-url"];
      const missing = needed.filter((name) => name && !this.getAttribute(name));
      this._explain(this._fault ?? (this._startsLogins && missing.length && `missing: ${missing}`));
    }
    if (view.status === "pending") view.status = "waiting";
    if (view.status === "rejected") view.status = view.reason ?? "failed";
    // While offline, the QR code or number stays valid.
    const keepsView = view.status === "offline" && this._hasOpenTicket;
    this._setView(keepsView ? { ...this._view, ...view } : { ...view, base: view.status });
    // The code of a redirect is given to the browser that comes back alone.
    const isElsewhere = this._ticket.authorize_url && this.purpose === "login" && !code;
    if (view.status === "confirmed" && !isElsewhere) {
      const { outcome, ticket: confirmed, state: returned } = view;
      this._deliverCode({ outcome, code, ticket: confirmed, ...(returned && { state: returned }) });
    }
    this._updateTimer();
  }

  _explain(reason) {
    if (!reason) return delete this.dataset.error;
    if (this.dataset.error !== reason) console.warn(`scanbind-qr: ${reason}`);
    this.dataset.error = reason;
  }

  /** Pass the code to the page and, unless it prevents that, submit the form. */
  _deliverCode(detail) {
    const id = this.getAttribute("form");
    const form = id === null ? this.closest("form") : this.getRootNode().getElementById(id);
    if (!this._emit("confirmed", detail) || !detail.code || !this.getAttribute("name")) return;
    const report = (reason) => {
      if (!reason || !this.isConnected || this._view.ticket !== detail.ticket) return;
      this._explain(`the form was not submitted: ${reason}`);
      this._setView({ ...this._view, status: "undelivered", base: "undelivered" });
      this._emit("undelivered", { ...detail, reason });
    };
    const [reason, wait] = this._submit(form, detail.code);
    setTimeout(report, wait, reason);
  }

  /** Submit the form with the code. Return why not, and after how many ms to say so. */
  _submit(form, code) {
    // Fields may have the names of methods.
    const call = (method, ...values) => HTMLFormElement.prototype[method].call(form, ...values);
    if (!form?.isConnected) return ["there is no form"];
    if (!/^post$/i.test(call("getAttribute", "method"))) return ["its method is not post"];
    this._field = createElement("input", { type: "hidden", name: this.getAttribute("name"), value: code });
    call("append", this._field);
    // requestSubmit() would stop at required fields, perhaps hidden ones.
    const submit = new Event("submit", { bubbles: true, cancelable: true });
    if (!call("dispatchEvent", submit)) return ["a submit listener cancelled it", SCRIPT_GRACE];
    call("submit");
    return call("getAttribute", "target") ? [] : ["the page stayed", ANSWER_TIMEOUT];
  }

  get _hasOpenTicket() {
    return ["waiting", "scanned", "expiring", "offline"].includes(this.status) && Boolean(this._view.ticket);
  }

  _setView(view) {
    const isSame = view.status === this._view.status && view.match == this._view.match; // null or undefined
    this._view = view;
    this.dataset.status = view.status;
    this._render();
    if (isSame && view.status !== "loading") return;
    const { status, match = null, outcome = null, reason = null, ticket = null } = view;
    this._emit("status", { status, match, outcome, reason, ticket });
  }

  _emit(name, detail) {
    const options = { detail, bubbles: true, composed: true, cancelable: true };
    return this.dispatchEvent(new CustomEvent(`scanbind:${name}`, options));
  }

  _setTicket(ticket) {
    this._ticket = ticket;
    const { qr_svg: svg, send_to: account, panel } = ticket;
    const png = ticket.qr_png ?? account?.qr_png;
    const address = ticket.authorize_url ?? ticket.open_url;
    const { image, save, go } = this._parts;
    if (png) {
      // What is pressed or saved must be a bitmap.
      image.src = ON_TOUCH ? `${serviceUrl(png)}?size=720` : serviceUrl(svg ?? png);
      save.href = `${serviceUrl(png)}?size=720&download=1`;
    }
    if (address) go.href = address;
    this._setPanel(panel);
  }

  /** Show WeChat's page in a frame; without one, the redirect is left. */
  _setPanel(panel) {
    clearTimeout(this._panelTimer);
    this._panel?.remove();
    this._panel = null;
    this.toggleAttribute("data-panel", Boolean(panel));
    if (panel) {
      const { src, allow, sandbox } = panel;
      this._panel = createElement("iframe", { class: "panel", part: "panel", allow, sandbox, src });
      this._panelTimer = setTimeout(() => this._setPanel(), ANSWER_TIMEOUT);
      this._panel.addEventListener("load", () => clearTimeout(this._panelTimer));
      this._parts.message.after(this._panel);
    }
    this._render();
  }

  /** Take what the last page in the frame says. */
  _hear({ source, origin, data }) {
    if (!this._panel || source !== this._panel.contentWindow || origin !== new URL(this._panel.src).origin) return;
    const { scanbind, code, state, error } = Object(data);
    if (scanbind === "cookies") return this._setPanel();
    if (!["authorized", "refused"].includes(scanbind)) return;
    const { ticket } = this._ticket;
    this._session.stop();
    if (scanbind === "authorized") return this._showState({ status: "confirmed", outcome: null, code, state, ticket });
    const reason = error === "access_denied" ? "declined" : "failed";
    this._showState({ status: "rejected", reason, ticket, error: { message: `WeChat's page answered ${error}` } });
  }

  _startTimer() {
    const note = (entries) => this._noteSeen(entries.pop().intersectionRect);
    this._observer = globalThis.IntersectionObserver && new IntersectionObserver(note);
    let previous = Date.now();
    this._timer = setInterval(() => {
      const now = Date.now();
      if (now - previous > SLEEP_GAP && !document.hidden) this._session?.wake();
      previous = now;
      this._look();
      this._updateTimer();
    }, 1000);
    this._look();
  }

  /** An observer does not notice `visibility`. */
  _look() {
    const { box } = this._parts;
    if (!this._observer) return this._noteSeen(box.getBoundingClientRect());
    this._observer.disconnect();
    this._observer.observe(box);
  }

  _noteSeen({ width, height }) {
    const { box } = this._parts;
    const options = { checkOpacity: true, checkVisibilityCSS: true };
    const isVisible = box.checkVisibility?.(options) ?? getComputedStyle(box).visibility === "visible";
    const isSeen = isVisible && width * height > 0;
    if (isSeen === this._isSeen) return;
    this._isSeen = isSeen;
    this._session?.handleVisibility();
  }

  _updateTimer() {
    const left = Math.ceil((this._session?.deadline - Date.now()) / 1000);
    const { timer } = this._parts;
    timer.hidden = !(this._hasOpenTicket && left > 0);
    timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    timer.classList.toggle("soon", left <= EXPIRY_WARNING);
    if (left > 0 && left <= EXPIRY_WARNING && ["waiting", "scanned"].includes(this.status)) {
      this._setView({ ...this._view, status: "expiring" });
    }
  }

  _buildParts() {
    const parts = {};
    const part = (tag, name, attributes, ...children) =>
      (parts[name] = createElement(tag, { class: name, part: name, ...attributes }, ...children));
    const drawing = { viewBox: "0 0 24 24", width: 48, fill: "none", stroke: "currentColor", "aria-hidden": "true" };
    const icon = part("svg", "icon", drawing, createElement("path", {}));
    const code = part("div", "code", {}, part("img", "image", { "data-testid": "qr", width: 200, height: 200 }), icon);
    const status = part("p", "status", { "data-testid": "qr-status" });
    const match = part("p", "match", { dir: "ltr", "data-testid": "match" });
    const passcode = part("p", "passcode", { dir: "ltr", "data-testid": "passcode" });
    const spoken = { role: "status", "aria-atomic": "true", tabindex: "-1" };
    const message = part("div", "message", spoken, status, match, passcode, part("p", "hint"));
    const timer = part("p", "timer", { role: "timer", dir: "ltr", "data-testid": "timer" });
    const save = part("a", "save", { download: "wechat.png", "data-testid": "save-image" });
    const go = part("a", "go", { "data-testid": "go" });
    const button = part("button", "button", { type: "button", "data-testid": "refresh-code" });
    const methods = part("div", "methods", {});
    const box = part("div", "box", {}, code, message, timer, save, go, button, methods);
    const root = this.attachShadow({ mode: "open" });
    addStyle(root);
    root.append(box);
    const { image } = parts;
    image.addEventListener("error", () => setTimeout(() => this._hasOpenTicket && (image.src += ""), IMAGE_RETRY));
    box.addEventListener("click", ({ target }) => {
      if (target.localName !== "button") return;
      message.focus(); // the button will be hidden
      target === button ? this.refresh() : this._choose(target.value);
    });
    return parts;
  }

  _render() {
    if (!this._parts) return;
    const { code, image, icon, match, passcode, status, hint, save, go, button, message } = this._parts;
    const texts = { ...WORDS[this._lang], ...this._texts };
    const view = this._view;
    const { authorize_url: redirects, open_url: opens, send_to: account, method } = this._ticket;
    const panel = this._panel;
    const isOpen = this._hasOpenTicket && !view.match && view.base === "waiting";
    const showsCode = isOpen && !redirects && (!account || account.qr_png);
    const shownView = view.status === "expiring" ? { ...view, status: view.base } : view;
    const textKey = textKeyFor(shownView, redirects, method !== "wecom" && panel, account);
    image.hidden = !showsCode;
    image.alt = texts.alt;
    const iconName = isOpen ? "phone" : (ICON_OF[view.base] ?? "again");
    icon.firstChild.setAttribute("d", ICONS[iconName]);
    icon.setAttribute("class", `icon ${iconName}`);
    icon.style.display = showsCode ? "none" : "";
    code.hidden = Boolean(view.match || (isOpen && panel));
    if (panel) Object.assign(panel, { hidden: !isOpen, title: texts[`method_${method}`] });
    setText(match, view.match ?? "");
    match.hidden = !view.match;
    passcode.hidden = !(isOpen && account);
    setText(passcode, this._ticket.passcode ?? "");
    setText(status, texts[textKey === "redirect" ? `method_${method}` : textKey] ?? texts.failed);
    const hintOf = textKey === "waiting" && ON_PHONE ? "phone" : textKey === "passcode" && showsCode && !ON_TOUCH ? "picture" : textKey;
    const said = texts[view.status === "expiring" ? "expiring" : `${hintOf}_hint`] ?? "";
    setText(hint, said.replace("{name}", () => account?.name));
    setText(save, texts.save);
    save.hidden = !(showsCode && ON_TOUCH && !IN_WECHAT);
    const canOpen = opens && ON_TOUCH && !IN_WECHAT;
    setText(go, texts[method === "wecom" ? "method_wecom" : redirects ? "go" : "open"]);
    go.hidden = !(isOpen && (redirects || canOpen));
    setText(button, texts.refresh);
    button.hidden = this._hasOpenTicket || ["loading", "confirmed", "limited", "offline"].includes(view.status);
    this._renderMethods(texts);
    message.lang = this._lang;
  }

  _renderMethods(texts) {
    const { methods } = this._parts;
    const others = this._methods.filter((one) => one !== this._ticket.method);
    if (methods.dataset.names !== String(others)) {
      methods.dataset.names = others;
      const build = (value) => createElement("button", { type: "button", class: "method", part: "method", value });
      methods.replaceChildren(...others.map(build));
    }
    for (const button of methods.children) setText(button, texts[`method_${button.value}`]);
    methods.hidden = !others.length || /scanned|confirmed|delivered/.test(this._view.base) || Boolean(this._view.match);
  }
}

function textKeyFor({ status, match, outcome }, redirects, panel, account) {
  if (status === "waiting" && account) return "passcode";
  if (status === "waiting" && redirects) return panel ? "waiting" : "redirect";
  if (status === "waiting" && IN_WECHAT) return "wechat";
  if (status === "scanned" && !match) return redirects ? "confirmed" : "asked";
  if (status === "confirmed" && outcome?.endsWith("bound")) return outcome;
  return status;
}

/** Screen readers would read the same text again. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

customElements.get("scanbind-qr") ?? customElements.define("scanbind-qr", ScanbindQr);
