// <scanbind-portal>: shows the WeChat bindings of a site's user and their history; connects and disconnects WeChat.
// Connecting needs <scanbind-qr> (widget.js), which is imported below unless the page pins scripts and so loads both.
// Text never becomes markup. Secrets stay in memory and are sent in headers only; the service's own page (`session-id`)
// uses a cookie instead. Names that begin with _ are private.

const BASE_URL = new URL(".", import.meta.url);
const ANSWER_TIMEOUT = 15_000; // ms
const MAX_ATTEMPTS = 8; // to read the session, until the user has to retry
const MAX_PAUSE = 60_000; // ms between two attempts
const MAX_AGE = 5_000; // ms after which a page that is shown again reads the session again
const CLOSE_TIMEOUT = 1_500; // ms to wait for the session to close before going back to the site
const HISTORY_KEY = "scanbind-portal"; // of the site's name and address in the history state of the service's own page
const ENDINGS = ["bound", "already_bound", "wechat_taken", "user_taken"];
const ICONS = { connected: "M5 12.5l4.5 4.5L19 7.5", not_connected: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16" };

const WORDS = {
  en: {
    title: "WeChat at {site}",
    title_plain: "WeChat",
    account: "Account",
    loading: "One moment…",
    connected: "WeChat connected",
    not_connected: "No WeChat connected",
    since: "Since {time}",
    label: "Identifier ending in {label}",
    last_login: "Last sign-in: {time}",
    not_following: "You do not follow {site}’s Official Account. WeChat will ask you to follow it when you next scan its code.",
    connect_hint: "Connect your WeChat to sign in to {site} with it.",
    connect: "Connect",
    disconnect: "Disconnect",
    confirm_title: "Disconnect your WeChat?",
    confirm_text: "You will no longer be able to sign in to {site} with WeChat. You can connect it again at any time.",
    only_login:
      "WeChat is your only way to sign in to {site}. Without it you may lose access to this account: " +
      "set up another way to sign in first.",
    only_login_unfollow: " Unfollowing the Official Account disconnects it as well.",
    confirm_yes: "Disconnect",
    confirm_no: "Keep it",
    disconnecting: "Disconnecting…",
    bound: "Done: your WeChat is connected.",
    already_bound: "This WeChat is already connected.",
    wechat_taken: "This WeChat is connected to another account. Disconnect it there first.",
    user_taken: "This account is connected to another WeChat. Disconnect that first.",
    not_bound: "Your WeChat was not connected. Please try again.",
    disconnected: "Done: your WeChat is disconnected.",
    history: "Recent changes",
    change_bound: "WeChat connected",
    change_replaced: "WeChat replaced by another one",
    change_moved: "WeChat moved to another account",
    change_disconnected: "WeChat disconnected",
    change_migrated: "WeChat carried over to the migrated Official Account",
    change_erased: "WeChat removed after unfollowing the Official Account",
    about_title: "What is stored, and why",
    about:
      "To recognise you when you sign in, {site} stores the identifier WeChat gives you for its Official Account " +
      "(openid, and unionid if there is one), whether you follow it, your language, and when you connected or " +
      "signed in; never your nickname, photo, contacts or messages.",
    about_profiles:
      "To recognise you when you sign in, {site} stores the identifier WeChat gives you " +
      "(openid, and unionid if there is one), your nickname and photo if you allowed it, whether you follow its " +
      "Official Account, your language, and when you connected or signed in; never your contacts or messages.",
    back: "Back to {site}",
    over_title: "This page has expired",
    over: "To manage your WeChat, go back to {site} and open this page again.",
    over_plain:
      "It can be used for a limited time only. To manage your WeChat, go back to the site you came from and " +
      "open this page again.",
    framed_title: "Open this page in a new tab",
    framed:
      "Inside another site’s page, the browser does not let this page recognise you. Go back to the site you came " +
      "from and open it in a new tab.",
    trying: "The service cannot be reached right now. Trying again…",
    unreachable: "The service cannot be reached right now. Please try again in a moment.",
    not_done: "Your WeChat could not be disconnected: the service cannot be reached. Please try again.",
    retry: "Try again",
  },
  zh: {
    title: "{site} · 微信绑定管理",
    title_plain: "微信绑定管理",
    account: "账号",
    loading: "请稍候…",
    connected: "已绑定微信",
    not_connected: "尚未绑定微信",
    since: "绑定时间：{time}",
    label: "微信标识尾号：{label}",
    last_login: "上次微信登录：{time}",
    not_following: "你没有关注{site}的公众号，下次扫码时需先关注。",
    connect_hint: "绑定后，使用微信即可登录{site}。",
    connect: "绑定",
    disconnect: "解绑",
    confirm_title: "确定解绑微信？",
    confirm_text: "解绑后将无法使用微信登录{site}，之后可随时重新绑定。",
    only_login: "微信是你登录{site}的唯一方式，解绑后可能无法再登录此账号，请先设置其他登录方式。",
    only_login_unfollow: "取消关注公众号也会解绑。",
    confirm_yes: "解绑",
    confirm_no: "暂不解绑",
    disconnecting: "正在解绑…",
    bound: "微信绑定成功。",
    already_bound: "此微信已绑定，无需重复绑定。",
    wechat_taken: "此微信已绑定其他账号，请先在该账号中解绑。",
    user_taken: "此账号已绑定其他微信，请先解绑原微信。",
    not_bound: "未能绑定微信，请重试。",
    disconnected: "微信已解绑。",
    history: "近期变更",
    change_bound: "绑定微信",
    change_replaced: "更换绑定的微信",
    change_moved: "微信改绑到其他账号",
    change_disconnected: "解绑微信",
    change_migrated: "公众号迁移后，已绑定的微信继续有效",
    change_erased: "取消关注公众号后，绑定已自动解除",
    about_title: "保存的信息及用途",
    about:
      "为了在登录时识别你的身份，{site}会保存微信提供的用户标识（openid，可能还有 unionid）、公众号关注状态、语言，" +
      "以及绑定和登录的时间；不会保存昵称、头像、通讯录或聊天记录。",
    about_profiles:
      "为了在登录时识别你的身份，{site}会保存微信提供的用户标识（openid，可能还有 unionid）、经你同意获取的昵称和头像、" +
      "公众号关注状态、语言，以及绑定和登录的时间；不会保存通讯录或聊天记录。",
    back: "返回{site}",
    over_title: "页面已过期",
    over: "如需继续管理，请返回{site}重新打开。",
    over_plain: "此页面仅在限定时间内有效。如需继续管理，请返回原网站重新打开。",
    framed_title: "请在新标签页中打开此页面",
    framed: "此页面嵌入在其他网站中，受浏览器限制，无法识别你的身份。请返回原网站，在新标签页中打开。",
    trying: "暂时无法连接服务，正在重试…",
    unreachable: "暂时无法连接服务，请稍后再试。",
    not_done: "解绑失败：暂时无法连接服务，请重试。",
    retry: "重试",
  },
};

const STYLE = `
:host { display: block }
:host([hidden]), [hidden] { display: none !important }
:host([theme=light]) { color-scheme: light }
:host([theme=dark]) { color-scheme: dark }
:host([theme=auto]) { color-scheme: light dark }
* { box-sizing: border-box; margin: 0; padding: 0 }
.box {
  --accent: var(--scanbind-accent, light-dark(#067a3a, #3ecf7a));
  --text: var(--scanbind-text, light-dark(#1b1f23, #eceff1));
  --ground: var(--scanbind-background, light-dark(#fff, #1d2023));
  --muted: var(--scanbind-muted, light-dark(#59636c, #a8b2ba));
  --round: var(--scanbind-radius, 1rem);
  --bad: light-dark(#b3261e, #ff9d94);
  --line: #d8dde1; --edge: #767f87; --tint: transparent; --on-accent: #fff;
  gap: 1.25rem; padding: clamp(1.25rem, 6%, 2rem); overflow-wrap: anywhere;
  font: 1rem/1.5 var(--scanbind-font, system-ui, sans-serif);
  color: var(--text); background: var(--ground); border: 1px solid var(--line); border-radius: var(--round);
}
@supports (color: color-mix(in srgb, red, red)) {
  .box {
    --line: color-mix(in srgb, var(--text) 16%, var(--ground));
    --edge: color-mix(in srgb, var(--text) 55%, var(--ground));
    --tint: color-mix(in srgb, var(--accent) 12%, var(--ground));
  }
  button:hover, .back:hover { background: color-mix(in srgb, var(--text) 8%, transparent) }
  .main:hover { background: color-mix(in srgb, var(--accent) 92%, var(--on-accent)) }
  .bad:hover { background: color-mix(in srgb, var(--bad) 88%, var(--text)) }
}
@supports (color: color(from red xyz-d65 x y z)) {
  .box {
    /* White or black on the accent, whichever has more contrast: at a luminance of 0.179 both have the same. */
    --white: clamp(0, (0.179 - y) * 10000, 1);
    --on-accent: color(from var(--accent) xyz-d65 calc(.9505 * var(--white)) var(--white) calc(1.089 * var(--white)));
  }
}
.body { gap: 1.5rem }
.body:empty, .problem:empty { display: none }
p { text-wrap: pretty }
.box, .body, .rows, .row, .code { display: grid; grid-template-columns: minmax(0, 1fr) } /* never wider than the container */
h2, .heading, .title { line-height: 1.4; font-weight: 600; outline: none }
.title { font-size: 1.375rem; text-wrap: balance }
.muted, time, summary { color: var(--muted); font-size: .875rem }
.muted time { font-size: inherit; display: inline-block }
.who b { font-weight: 600; color: var(--text) }
.notice, .problem, .warning { padding: .75rem 1rem; border: 1px solid transparent; border-radius: calc(var(--round) * .75) }
.notice { font-weight: 600; background: var(--tint) }
.notice, div.problem { margin-block-start: 1rem }
.notice:empty { padding: 0; border: 0; margin: 0 }
.problem { background: color-mix(in srgb, var(--bad) 12%, var(--ground)) }
.warning { font-size: .875rem; background: light-dark(#fdf2d8, #3a3015); color: light-dark(#4a3500, #ffe3a3) }
.rows { gap: 1rem }
.row { gap: 1rem; padding: 1.25rem; border: 1px solid var(--line); border-radius: var(--round) }
.line, .problem { display: flex; flex-wrap: wrap; gap: .75rem 1rem; align-items: center; justify-content: space-between }
.facts { flex: 999 1 12rem; display: grid; gap: .125rem }
.line > button { flex: 1 0 auto }
.mark {
  flex: none; inline-size: 2.75rem; padding: .625rem; border-radius: 50%; stroke-width: 2.4; stroke-linecap: round; stroke-linejoin: round;
}
img.mark { block-size: 2.75rem; padding: 0; object-fit: cover }
.mark.connected { color: var(--on-accent); background: var(--accent) }
.mark.not_connected { color: var(--muted); background: color-mix(in srgb, var(--text) 8%, var(--ground)) }
.code { justify-items: center; min-block-size: 17rem; align-content: center }
.code scanbind-qr::part(box) { border: 0; background: none; padding: 0 }
button, .back {
  min-block-size: 2.75rem; padding: .5rem 1.25rem; border: 1px solid var(--edge);
  border-radius: calc(var(--round) * .6); font: inherit; font-weight: 600; text-decoration: none; cursor: pointer;
  color: var(--text); background: transparent; display: inline-grid; place-items: center; overflow-wrap: anywhere;
}
.main { color: var(--on-accent); background: var(--accent); border-color: var(--accent) }
.bad { color: light-dark(#fff, #3a0804); background: var(--bad); border-color: var(--bad) }
[aria-disabled=true] { cursor: progress; border-style: dashed }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px }
ol { list-style: none; margin-block-start: .25rem }
li { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; padding-block: .5rem }
li + li { border-block-start: 1px solid var(--line) }
summary { cursor: pointer; inline-size: fit-content; border-radius: .25rem }
.about { margin-block-start: .25rem }
.foot { padding-block-start: 1.25rem; border-block-start: 1px solid var(--line) }
.bar { block-size: 1rem; border-radius: .375rem; background: var(--line) }
.bar + .bar { inline-size: 60% }
.bars { display: grid; gap: .75rem }
.bars > p { position: absolute; clip-path: inset(50%) }
dialog[open] { display: block } /* in browsers without this element as well */
dialog {
  margin: auto; inline-size: min(28rem, 100vw - 2rem); padding: 1.5rem; font: inherit;
  color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: var(--round);
}
dialog::backdrop { background: rgb(0 0 0 / .55) }
.ask { display: grid; gap: 1rem }
.ask h2 { font-size: 1.125rem }
.choice { display: flex; flex-wrap: wrap-reverse; gap: .75rem; justify-content: end }
.choice button { flex: 1 1 8rem }
@media (forced-colors: active) {
  .mark { forced-color-adjust: none; color: CanvasText }
  img.mark { block-size: 2.75rem; padding: 0; object-fit: cover }
.mark.connected { color: Canvas; background: CanvasText }
  .bar { background: GrayText }
}
@media (prefers-reduced-motion: no-preference) { .bar { animation: breathe 1.4s ease-in-out infinite alternate } }
@keyframes breathe { to { opacity: .45 } }
`;

/** Style a shadow root. Older browsers get the light colours only, and an inline style. */
function addStyle(root) {
  const hasThemes = CSS.supports("color", "light-dark(#000, #fff)");
  const style = hasThemes ? STYLE : STYLE.replace(/light-dark\((#\w+), #\w+\)/g, "$1");
  if (!root.adoptedStyleSheets) return root.append(h("style", {}, style));
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  root.adoptedStyleSheets = [sheet];
}

/** A failed request; its `status` is 0 if there was no response. */
class RequestError extends Error {
  constructor(status, { slug, wait = 0, cause } = {}) {
    super(slug ?? `HTTP ${status}`, { cause });
    Object.assign(this, { status, slug, wait }); // wait: Retry-After in ms
  }

  /** Whether the session has ended or is not accessible to this page, so that retrying is useless. */
  get isFinal() {
    return [400, 401, 403].includes(this.status) || this.slug === "session-not-found";
  }

  static async of(response) {
    const problem = await response.json().catch(() => ({}));
    const wait = Number(response.headers.get("Retry-After")) * 1000 || 0;
    return new RequestError(response.status, { slug: problem.type?.split("/").pop(), wait });
  }
}

/** A portal session, authenticated by the page's cookie or by a secret, for which a token is exchanged once. */
class Session {
  constructor({ id, token }) {
    this._secret = this._opening = null;
    this.id = token?.split(".")[0] ?? id;
    this.key = token ?? id;
    this.hosted = token === null;
    this._token = token;
  }

  /** Return the response; throw RequestError. */
  async call(method, path, options = {}) {
    if (!this.hosted && !this._secret) {
      this._opening ??= this._open().finally(() => (this._opening = null));
      await this._opening;
    }
    return this._send(method, path, this._secret, options);
  }

  async _open() {
    this._secret = (await (await this._send("POST", "/open", this._token)).json()).secret;
  }

  async _send(method, path, bearer, { body, signal, keepalive } = {}) {
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, ANSWER_TIMEOUT);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    const options = {
      method,
      body: body && JSON.stringify(body),
      headers: {
        ...(body && { "Content-Type": "application/json" }),
        ...(bearer && { Authorization: `Bearer ${bearer}` }),
      },
      credentials: bearer ? "omit" : "same-origin",
      keepalive,
      signal: controller.signal,
    };
    const url = new URL(`v1/portal-sessions/${encodeURIComponent(this.id)}${path}`, BASE_URL);
    try {
      const response = await fetch(url, options).catch((cause) => {
        throw new RequestError(0, { cause });
      });
      if (!response.ok) throw await RequestError.of(response);
      return response;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }
}

export class ScanbindPortal extends HTMLElement {
  static get observedAttributes() {
    return ["session", "session-id", "lang", "texts"];
  }

  constructor() {
    super();
    this._texts = {};
    this._parts = null;
    this._lifetime = null; // aborts requests when the element is removed
    this._reading = null; // aborts the current read of the session
    this._session = null;
    this._view = null; // the session as the service returned it
    this._ended = false;
    this._framed = false; // in a frame, where the browser withholds the cookie
    this._wanted = null; // the account whose QR code was requested, if there are several
    this._lastChange = null; // the change that was just made here, a key of the texts
    this._readAt = 0;
    this._endTimer = 0;
    this._startIsScheduled = false; // so that several attribute changes cause one start
  }

  get texts() {
    return this._texts;
  }

  set texts(texts) {
    if (JSON.stringify(texts ?? {}) === JSON.stringify(this._texts)) return; // drawing would replace the QR code
    this._texts = texts ?? {};
    this._draw();
  }

  connectedCallback() {
    this._upgradeProperty("texts");
    this._parts ??= this._build();
    if (this._lifetime) return; // moved, not added
    this._lifetime = new AbortController();
    this._listen("addEventListener");
    this._scheduleStart();
  }

  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this._listen("removeEventListener");
      this._lifetime?.abort();
      this._lifetime = null;
      this._stop();
    });
  }

  _listen(method) {
    document[method]("visibilitychange", this);
    for (const name of ["pageshow", "online"]) window[method](name, this);
  }

  handleEvent({ type, persisted }) {
    const isFresh = document.hidden || Date.now() - this._readAt < MAX_AGE;
    if (type === "visibilitychange" ? !isFresh : type === "online" || persisted) this._refresh();
  }

  attributeChangedCallback(name, before, after) {
    if (before === after) return;
    if (name === "texts") this.texts = JSON.parse(after || "{}");
    else if (name.startsWith("session")) this._scheduleStart();
    else this._draw();
  }

  _scheduleStart() {
    if (this._startIsScheduled) return;
    this._startIsScheduled = true;
    queueMicrotask(() => {
      this._startIsScheduled = false;
      if (this._lifetime) this._start();
    });
  }

  _start() {
    const [id, token] = [this.getAttribute("session-id"), this.getAttribute("session")];
    if (this._session?.key !== (token ?? id)) {
      // A token opens only once: an element that is put back into the page keeps its session.
      this._session = token || id ? new Session({ id, token }) : null;
      this._view = this._wanted = null;
      this._ended = this._framed = false;
      if (this._session?.hosted) this._takeEnding();
    }
    if (!this._session) console.warn("scanbind-portal: the attribute session, a token, is missing");
    this._stop();
    this._draw();
    this._refresh();
  }

  /** Take from the address how a bind ended for which the browser went to WeChat. */
  _takeEnding() {
    const address = new URL(location);
    const query = address.searchParams;
    if (!query.has("ended") && !query.has("error")) return;
    this._lastChange = ENDINGS.includes(query.get("ended")) ? query.get("ended") : "not_bound";
    query.delete("ended");
    query.delete("error");
    history.replaceState(history.state, "", address);
  }

  _stop() {
    this._reading?.abort();
    clearTimeout(this._endTimer);
    if (this._parts.dialog) close(this._parts.dialog);
  }

  _refresh() {
    if (this._session && !this._ended) this._read();
  }

  /** Read the session; retry until there is a response. */
  async _read() {
    this._reading?.abort();
    const { signal } = (this._reading = new AbortController());
    for (let failures = 1; !signal.aborted; failures++) {
      this._readAt = Date.now();
      try {
        const view = await (await this._session.call("GET", "", { signal })).json();
        return signal.aborted || this._show(view);
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401) this._framed = this._session.hosted && window !== top;
        if (error.isFinal) return this._end();
        if (failures === MAX_ATTEMPTS) return this._showProblem("unreachable");
        this._showProblem("trying");
        await sleep(Math.min(error.wait || backoff(failures), MAX_PAUSE), signal);
      }
    }
  }

  _show(view) {
    clearTimeout(this._endTimer);
    this._endTimer = setTimeout(() => this._end(), view.expires_in * 1000);
    this._showProblem(null);
    const [before, now] = [this._view, view].map((one) => JSON.stringify({ ...one, expires_in: 0 }));
    this._view = view;
    this._remember(view);
    this.dataset.state = "shown";
    if (before === now) return; // drawing would replace a QR code that is being scanned
    write(this._parts.notice, this._lastChange ? this._words[this._lastChange] : ""); // clears the notice of an older change
    this._lastChange = null;
    this._draw();
  }

  /** Store the site for when the session has ended, because the page can still be reloaded or returned to. */
  _remember({ site, return_url }) {
    if (this._session.hosted) history.replaceState({ ...history.state, [HISTORY_KEY]: { site, return_url } }, "");
  }

  _end() {
    if (this._ended) return;
    this._ended = true;
    this._stop();
    this._showProblem(null);
    write(this._parts.notice, "");
    this._draw();
    this._emit("ended");
  }

  /** Show a problem with a button to retry; null removes it. */
  _showProblem(key) {
    const { problem, title } = this._parts;
    this._parts.problemKey = key;
    if (!key && problem.contains(this.shadowRoot.activeElement)) title.focus();
    if (!key) return problem.replaceChildren();
    if (!this._view) this.dataset.state = "failed";
    const words = this._words;
    const retry = h("button", { type: "button" }, words.retry);
    retry.addEventListener("click", () => this._refresh());
    const text = h("p", {}, words[key]);
    if (problem.textContent !== text.textContent + words.retry) problem.replaceChildren(text, retry);
    if (!this._view) this._parts.body.replaceChildren();
  }

  _changed(change, account) {
    this._wanted = null;
    this._lastChange = change;
    write(this._parts.notice, this._words[change]);
    this._emit("change", { change, account });
    this._read();
  }

  _emit(name, detail) {
    this.dispatchEvent(new CustomEvent(`scanbind:${name}`, { detail, bubbles: true, composed: true }));
  }

  _build() {
    const p = {
      title: h("p", { class: "title", part: "title", role: "heading", tabindex: "-1", "data-testid": "portal-title" }),
      name: h("b", { "data-testid": "portal-account-name" }),
      label: h("span", {}),
      notice: h("p", { class: "notice", part: "notice", role: "status", "data-testid": "portal-notice" }),
      problem: h("div", { class: "problem", part: "problem", role: "status", "data-testid": "portal-problem" }),
      body: h("div", { class: "body" }),
    };
    p.who = h("p", { class: "muted who" }, p.label, " ", p.name);
    p.box = h("div", { class: "box", part: "box" }, h("div", {}, p.title, p.who, p.notice, p.problem), p.body);
    const root = this.attachShadow({ mode: "open" });
    addStyle(root);
    root.append(p.box);
    return p;
  }

  get _lang() {
    const lang = this.getAttribute("lang") || this._view?.lang || this.closest("[lang]")?.lang || navigator.language;
    return lang.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  get _locale() {
    return this._lang === "zh" ? "zh-CN" : "en";
  }

  get _words() {
    return { ...WORDS[this._lang], ...this._texts };
  }

  /** The site's names and address; the service's own page has them even when the session has ended. */
  get _site() {
    return this._view ?? (this._session?.hosted ? history.state?.[HISTORY_KEY] : null) ?? {};
  }

  /** Return the pieces of a text, with its slots filled by strings or elements. */
  _fill(key, slots) {
    const names = this._site.site ?? {};
    const all = { site: names[this._lang] ?? names.en ?? names.zh, ...slots };
    return this._words[key].split(/\{(\w+)\}/).map((piece, i) => (i % 2 ? all[piece] : piece));
  }

  _time(moment) {
    const format = new Intl.DateTimeFormat(this._locale, { dateStyle: "medium", timeStyle: "short" });
    return h("time", { datetime: moment }, format.format(new Date(moment)));
  }

  /** A heading one level below the title, which is an h1 on the service's own page and an h2 on a site's. */
  _heading(text, more) {
    return h("p", { class: "heading", role: "heading", "aria-level": this._session.hosted ? "2" : "3", ...more }, text);
  }

  _draw() {
    if (!this._parts) return;
    const { box, title, who, label, name, body, problemKey } = this._parts;
    const focused = this.shadowRoot.activeElement;
    const lost = body.contains(focused) && { account: focused.closest("[data-account]")?.dataset.account };
    const hosted = this._session?.hosted;
    box.lang = this._locale;
    title.setAttribute("aria-level", hosted ? "1" : "2");
    const heading = this._framed ? "framed_title" : this._ended ? "over_title" : this._site.site ? "title" : "title_plain";
    write(title, this._fill(heading).join(""));
    if (hosted) document.title = title.textContent;
    write(label, this._words.account);
    write(name, this._view?.account_name ?? "");
    who.hidden = !name.textContent || this._ended;
    body.replaceChildren(...this._content().filter(Boolean));
    this.dataset.state = this._ended ? "over" : this._view ? "shown" : "loading";
    if (problemKey) this._showProblem(problemKey);
    // The focused element was replaced, and the keyboard focus must not be lost.
    const next = lost && [...body.querySelectorAll(".row")].find((row) => row.dataset.account === lost.account);
    if (lost) (next?.querySelector(".heading") ?? title).focus();
  }

  _content() {
    if (this._framed) return [h("p", {}, ...this._fill("framed"))];
    if (this._ended) return [h("p", {}, ...this._fill(this._site.site ? "over" : "over_plain")), this._back()];
    if (!this._session) return [];
    if (!this._view) return [bars(this._words.loading)];
    const rows = h("div", { class: "rows" }, ...this._accounts.map((account) => this._row(account)));
    const about = this._about();
    const aboutFirst = this._view.first_visit && !this._view.bindings.length; // inform before anything is stored
    const content = aboutFirst ? [about, rows, this._history()] : [rows, this._history(), about];
    return [...content, this._back()];
  }

  /** The accounts of the site, and former ones that are still bound. */
  get _accounts() {
    return [...new Set([...this._view.accounts, ...this._view.bindings.map((one) => one.account)])];
  }

  _row(account) {
    const binding = this._view.bindings.find((one) => one.account === account);
    const content = binding ? this._boundContent(binding) : this._unboundContent(account);
    return h("section", { class: "row", "data-account": account }, ...content);
  }

  _suffix(account) {
    return this._accounts.length > 1 ? ` · ${account}` : "";
  }

  _boundContent({ kind, account, label, bound_at: since, last_login_at: last, subscribed, ends_on_unfollow: ends, profile }) {
    const alone = this._view.only_login && this._view.bindings.length === 1;
    const button = this._button("disconnect", account, () => this._confirm(account, alone));
    if (alone) button.setAttribute("aria-describedby", "only");
    const line = h(
      "div",
      { class: "line", "data-testid": "portal-binding" },
      profile?.picture ? picture(profile.picture) : mark("connected"),
      h(
        "div",
        { class: "facts" },
        this._heading(this._words.connected + this._suffix(account), { tabindex: "-1" }),
        profile?.nickname ? h("p", {}, h("bdi", { "data-testid": "portal-nickname" }, profile.nickname)) : null,
        h("p", { class: "muted", "data-testid": "portal-since" }, ...this._fill("since", { time: this._time(since) })),
        last ? h("p", { class: "muted" }, ...this._fill("last_login", { time: this._time(last) })) : null,
        h("p", { class: "muted", "data-testid": "portal-label" }, ...this._fill("label", { label })),
      ),
      button,
    );
    const only = { class: "warning", id: "only", "data-testid": "portal-only-login" };
    return [
      line,
      subscribed || kind !== "official_account" ? null : h("p", { class: "muted" }, ...this._fill("not_following")),
      alone ? h("p", only, ...this._fill("only_login"), ends ? this._words.only_login_unfollow : "") : null,
    ];
  }

  _unboundContent(account) {
    const { accounts, bindings } = this._view;
    const shown = this._wanted ?? (bindings.length && accounts.length > 1 ? null : accounts[0]);
    const heading = this._heading(this._words.not_connected + this._suffix(account), { tabindex: "-1" });
    const facts = h("div", { class: "facts" }, heading, h("p", { class: "muted" }, ...this._fill("connect_hint")));
    const line = [mark("not_connected"), facts];
    if (account === shown) return [h("div", { class: "line" }, ...line), this._code(account)];
    const button = this._button("connect", account, () => {
      this._wanted = account; // one at a time: a new QR code ends the other one of the session
      this._draw();
    });
    button.classList.add("main");
    return [h("div", { class: "line" }, ...line, button)];
  }

  _button(what, account, act) {
    const button = h("button", { type: "button", part: "button", "data-testid": `portal-${what}` }, this._words[what]);
    button.setAttribute("aria-label", this._words[what] + this._suffix(account)); // of several accounts, names this one
    button.addEventListener("click", act);
    return button;
  }

  _code(account) {
    const place = h("div", { class: "code" });
    customElements.whenDefined("scanbind-qr").then(() => {
      if (!place.isConnected) return;
      const code = h("scanbind-qr", { purpose: "bind", lang: this._lang });
      code.source = (options) => this._ticket(account, options);
      code.addEventListener("scanbind:confirmed", () => this._changed("bound", account));
      place.append(code);
    });
    return place;
  }

  async _ticket(account, { method, signal } = {}) {
    const session = this._session;
    // The only account is not named: it is not the app of a redirect.
    const named = this._view.accounts.length > 1 && !["website", "wecom"].includes(method);
    const body = { method, ...(named && { account }) };
    try {
      const response = await session.call("POST", "/tickets", { body, signal });
      return { ...(await response.json()), panel: null }; // the page's policy allows no frames
    } catch (error) {
      if (error.isFinal && this._lifetime && session === this._session) this._end();
      throw error;
    }
  }

  _about() {
    const text = h("p", { class: "muted about", "data-testid": "portal-about" }, ...this._fill(this._view.profiles ? "about_profiles" : "about"));
    return this._view.first_visit ? text : h("details", {}, h("summary", {}, this._words.about_title), text);
  }

  _history() {
    const { history: entries } = this._view;
    if (!entries.length) return null;
    const items = entries.map(({ change, account, at }) =>
      h(
        "li",
        { "data-testid": "portal-history-item", "data-change": change },
        h("span", {}, (this._words[`change_${change}`] ?? change) + this._suffix(account)),
        " ",
        this._time(at),
      ),
    );
    const list = h("ol", { "data-testid": "portal-history" }, ...items);
    return h("section", {}, this._heading(this._words.history), list);
  }

  _back() {
    const { return_url: address } = this._site;
    if (!/^https?:\/\//i.test(address ?? "")) return null;
    const attributes = { class: "back", part: "back", "data-testid": "portal-return" };
    const link = h("a", { ...attributes, href: address }, ...this._fill("back"));
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || this._ended) return;
      event.preventDefault();
      this._leave(address);
    });
    return h("p", { class: "foot" }, link);
  }

  /** Close the session and go back to the site, even if the service does not respond. */
  async _leave(address) {
    const closed = this._session.call("DELETE", "", { keepalive: true }).catch(() => {});
    await Promise.race([closed, sleep(CLOSE_TIMEOUT)]);
    location.assign(address);
  }

  _confirm(account, alone) {
    const words = this._words;
    const no = h("button", { type: "button", autofocus: "", "data-testid": "portal-confirm-no" }, words.confirm_no);
    const yes = h("button", { type: "button", class: "bad", "data-testid": "portal-confirm-yes" }, words.confirm_yes);
    const wrong = h("p", { class: "problem", role: "alert" });
    const dialog = h(
      "dialog",
      { part: "dialog", "aria-labelledby": "question", "aria-describedby": "effect", "data-testid": "portal-confirm" },
      h(
        "div",
        { class: "ask" },
        h("h2", { id: "question" }, words.confirm_title + this._suffix(account)),
        h("p", { id: "effect" }, ...this._fill("confirm_text")),
        ...(alone ? [h("p", { class: "warning" }, ...this._fill("only_login"))] : []),
        wrong,
        h("div", { class: "choice" }, no, yes),
      ),
    );
    no.addEventListener("click", () => close(dialog));
    yes.addEventListener("click", () => this._disconnect(account, { dialog, yes, wrong }));
    dialog.addEventListener("close", () => dialog.remove());
    this._parts.dialog = dialog;
    this._parts.box.append(dialog);
    if (dialog.showModal) return dialog.showModal();
    dialog.setAttribute("open", "");
    no.focus();
  }

  async _disconnect(account, { dialog, yes, wrong }) {
    if (yes.getAttribute("aria-disabled") === "true") return;
    const busy = (is) => {
      yes.setAttribute("aria-disabled", is);
      write(yes, this._words[is ? "disconnecting" : "confirm_yes"]);
      this.dataset.state = is ? "disconnecting" : "shown";
    };
    busy(true);
    write(wrong, "");
    const session = this._session;
    const { signal } = this._lifetime;
    try {
      await session.call("DELETE", `/bindings/${encodeURIComponent(account)}`, { signal });
    } catch (error) {
      if (signal.aborted || session !== this._session) return;
      if (error.isFinal) return this._end();
      busy(false);
      // Not bound counts as success: the response to an earlier attempt was lost, or another tab disconnected it.
      if (error.slug !== "binding-not-found") return write(wrong, this._words.not_done);
    }
    if (session !== this._session) return; // the attribute changed meanwhile
    close(dialog);
    this._changed("disconnected", account);
  }

  /** Apply a property that was set before the element was defined. */
  _upgradeProperty(name) {
    if (!this.hasOwnProperty(name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }
}

function h(tag, attributes, ...children) {
  const svg = tag === "svg" || tag === "path";
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child != null));
  return node;
}

/** A person's picture, or the mark where it does not load: it was erased, or the page's policy does not allow it. */
function picture(address) {
  // At the address that this script has, which the page's policy allows: the service may have several.
  const src = new URL(address.slice(address.lastIndexOf("/v1/") + 1), BASE_URL);
  const alone = { alt: "", width: 44, height: 44, referrerpolicy: "no-referrer", "data-testid": "portal-picture" };
  const image = h("img", { class: "mark", src, ...alone });
  image.addEventListener("error", () => image.replaceWith(mark("connected")), { once: true });
  return image;
}

const mark = (which) =>
  h(
    "svg",
    { class: `mark ${which}`, viewBox: "0 0 24 24", width: 44, fill: "none", stroke: "currentColor", "aria-hidden": "true" },
    h("path", { d: ICONS[which] }),
  );

const bars = (text) =>
  h("div", { class: "bars" }, h("p", { role: "status" }, text), h("div", { class: "bar" }), h("div", { class: "bar" }));

const backoff = (failures) => 2 ** Math.min(failures, 5) * 500 * (1 + Math.random());

/** Wait for `ms`, or until `signal` aborts. */
function sleep(ms, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => done(clearTimeout(timer)), { once: true });
  });
}

/** Close a dialog, also where browsers do not know the element. */
function close(dialog) {
  if (dialog.close) dialog.close();
  else dialog.dispatchEvent(new Event("close"));
}

/** Set a text only if it differs; otherwise screen readers would read it again. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

if (import.meta.url.endsWith("/portal.js")) import("./widget.js");
customElements.get("scanbind-portal") ?? customElements.define("scanbind-portal", ScanbindPortal);
