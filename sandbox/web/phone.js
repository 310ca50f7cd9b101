// The phone page: polls the sandbox about once a second and shows what has changed.

import { get, getSms, post } from "./api.js";
import { askLogin, closeLogin } from "./asks.js";
import { askAddress, closeAddress, closePage, goBack, isPage, openPage, reloadPage } from "./browser.js";
import { codeIn, loginIn, programCodeIn, showCodes } from "./camera.js";
import { showChat, watchChat } from "./chat.js";
import { $, changed, face, fill, option } from "./dom.js";
import { disarm, loadTricks, offerTricks, showArmed, takeFault } from "./drawer.js";
import { isOpen, isTop, layer, wide } from "./layers.js";
import { showLog } from "./log.js";
import { askNickname, closeNewcomer, createUser, remember, remembered, showOwners } from "./people.js";
import { watchPictures } from "./pictures.js";
import { closeProgram, openProgram } from "./program.js";
import { showSms } from "./sms.js";
import { has, speak, t } from "./words.js";

const POLL_INTERVAL = 800; // ms
const FAST_INTERVAL = 150; // ms, after an action
const FAST_POLLS = 10;
const TOAST_DURATION = 5000; // ms

const here = { user: remembered(), account: "", aimed: codeInAddress(), choice: null, users: [], accounts: new Map() };
let fastPolls = 0;
let timer = 0;
let toastTimer = 0;
let created = 0; // how many users this page has created

function codeInAddress() {
  return codeIn(location.href) ?? loginIn(location.href) ?? programCodeIn(location.href);
}

function toast(text) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  toastTimer = setTimeout(() => { $("toast").textContent = ""; }, TOAST_DURATION);
}

const showError = (error) => toast(has(error.reason) ? t(error.reason) : error.message);

const owner = () => here.users.find((user) => user.id === here.user);

// -- polling -----------------------------------------------------------------------------------------------

async function poll() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await pollOnce();
  } catch {
    toast(t("unreachable"));
  }
  clearTimeout(timer); // another poll may have started meanwhile
  timer = setTimeout(poll, fastPolls-- > 0 ? FAST_INTERVAL : POLL_INTERVAL);
}

async function pollOnce() {
  const before = created;
  const [{ users }, { accounts }] = await Promise.all([get("users"), get("accounts")]);
  if (created !== before) return; // the list may lack the user that was created meanwhile
  showUsers(users);
  showAccounts(accounts);
  if (here.aimed?.startsWith("gh_") && owner()) scan(here.aimed); // an account's own code is not among those in view
  const [codes, phone, web, programs, log, sms] = await Promise.all([
    isOpen("camera") ? inView() : null,
    owner() ? get("phone", { user: here.user, account: here.account }) : null,
    owner() ? get("authorization", { user: here.user }) : null,
    owner() ? get("mini_programs", { user: here.user }) : null,
    owner() && $("desk").open ? get("deliveries", { user: here.user }) : null,
    owner() ? getSms($("desk").open ? {} : { number: owner().phone_number }) : null,
  ]);
  if (codes) showCodes(codes, { names: here.accounts, aimed: here.aimed, choice: here.choice, scan: scanItem });
  if (phone && phone.user === here.user && phone.appid === here.account) showPhone(phone);
  if (web) showWeb(web);
  if (programs) showPrograms(programs);
  if (log) showLog(log.deliveries, here.accounts);
  if (sms && owner()) showSms(sms.messages, owner().phone_number);
}

async function inView() {
  const [{ codes }, { consents }, programs] = await Promise.all(["codes", "consents", "mini_program_codes"].map((one) => get(one)));
  const logins = consents.filter((one) => one.scope === "snsapi_login" && [null, here.user].includes(one.user));
  return [...codes, ...logins, ...programs.codes].sort((one, other) => other.created_at - one.created_at);
}

function showUsers(users) {
  here.users = users;
  // A visitor who opened a QR code gets a new user; otherwise the page takes the newest one.
  if (!owner() && !here.aimed) here.user = users.at(-1)?.id ?? "";
  if (owner() ? speak(owner().language) : false) offerTricks();
  showOwners(users, owner());
  if (!owner()) askNickname({ count: users.length, byCode: here.aimed !== null, first: true });
}

function showAccounts(accounts) {
  here.accounts = new Map(accounts.map((account) => [account.appid, account.name]));
  if (!here.accounts.has(here.account)) here.account = accounts[0].appid;
  if (!changed("accounts", [accounts, here.account])) return;
  fill($("account"), accounts.map((account) => option([account.appid, account.name])), here.account);
  $("account-field").hidden = accounts.length < 2;
  $("name").hidden = accounts.length > 1;
  for (const id of ["name", "prompt-name"]) $(id).textContent = here.accounts.get(here.account);
  for (const id of ["account-face", "prompt-face"]) face($(id), here.accounts.get(here.account), here.account);
}

function showWeb({ snapshots, sns_fault: fault }) {
  if (!changed("web", [here.user, snapshots, fault])) return;
  $("snapshots").checked = snapshots;
  $("full-service").hidden = !snapshots;
  $("sns").value = fault ?? "";
}

function showPrograms({ mini_programs: programs, blocked }) {
  if (!changed("programs", [here.user, programs, blocked])) return;
  $("programs").hidden = programs.length === 0;
  $("blocked").checked = blocked;
}

function showPhone(phone) {
  const person = { id: here.user, name: owner()?.nickname ?? "" };
  const account = { id: phone.appid, name: here.accounts.get(phone.appid) };
  showChat(phone, { person, account, tap: (link) => act("tap", { link }), visit });
  $("standing").textContent = t(phone.following ? "following" : "stranger");
  $("unfollow").hidden = !phone.following;
  $("leave").disabled = !phone.following;
  $("unionid-told").textContent = phone.unionid ?? t("noUnionid");
  $("stranger").hidden = phone.following;
  $("text").disabled = !phone.following;
  $("text").placeholder = t(phone.following ? "message" : "cannotWrite");
  $("write").querySelector(".send").disabled = !phone.following;
  if (isOpen("prompt") !== (phone.pending !== null)) {
    layer("prompt", phone.pending !== null);
    (phone.pending ? $("follow") : $("open")).focus();
  }
}

// -- actions -----------------------------------------------------------------------------------------------

async function act(name, body = {}, { withFault = true, absent = null } = {}) {
  const mischief = withFault ? takeFault() : undefined;
  try {
    return await post(name, { user: here.user, account: here.account, wait: false, mischief, ...body });
  } catch (error) {
    if (absent && error.status === 404) toast(t(absent));
    else showError(error);
    return null;
  } finally {
    pollFast();
  }
}

function pollFast() {
  fastPolls = FAST_POLLS;
  poll();
}

async function scan(code) {
  if (!owner()) return;
  const result = await act("scan", { code, account: undefined }, { absent: "unknownCode" });
  if (!result) return;
  forgetAim();
  here.account = result.code.appid;
  if (result.outcome === "expired") toast(t("expired"));
  else closeCamera();
  poll();
}

function forgetAim() {
  here.choice = null;
  here.aimed = null;
  if (location.pathname !== "/") history.replaceState(null, "", "/");
}

async function scanLogin(consent) {
  if (!owner()) return;
  const login = await act("scan_consent", { consent }, { withFault: false, absent: "unknownCode" });
  if (!login) return;
  forgetAim();
  closeCamera();
  askLogin(login);
}

async function answerLogin(name) {
  const consent = closeLogin();
  if (await act(name, { consent }, { withFault: false })) toast(t(name === "allow" ? "back" : "refusedLogin"));
}

/** Open the mini program of a code, or of a plain scheme link. */
async function scanProgram(code) {
  if (!owner()) return;
  const opened = await act("open_mini_program", { code }, { withFault: false, absent: "unknownCode" });
  if (!opened) return;
  forgetAim();
  closeCamera();
  openProgram(owner(), opened);
}

function scanItem(item) {
  if (item.page) scanProgram(item.id);
  else if (item.scope) scanLogin(item.id);
  else scan(item.id);
}

function visit(address) {
  if (!owner()) return;
  forgetAim();
  closeCamera();
  openPage(here.user, address);
}

async function useFullService() {
  if (await act("snapshots", { on: false }, { withFault: false })) reloadPage();
}

/** Scan what a QR code says: a code of this sandbox, the login of a website, a mini program, or a page. */
function scanAddress(text) {
  if (codeIn(text)) scan(codeIn(text));
  else if (loginIn(text)) scanLogin(loginIn(text));
  else if (programCodeIn(text) || text.startsWith("weixin://dl/business/")) scanProgram(programCodeIn(text) ?? text);
  else if (isPage(text)) visit(text);
  else scan(text);
}

function openCamera() {
  layer("camera", true);
  if (isTop("camera")) (wide.matches ? $("codes").querySelector("button") ?? $("choose") : $("close")).focus();
  poll();
}

function closeCamera() {
  here.choice = null;
  layer("camera", wide.matches); // beside the phone it stays open
  if (isTop("beneath")) $("open").focus();
}

function chooseUser(id) {
  here.user = id;
  showOwners(here.users, owner());
  closePage();
  closeProgram();
  remember(id);
  closeNewcomer();
  if (here.aimed) openCamera();
  else poll();
}

function toggleNewUser() {
  if (isOpen("newcomer")) cancelNewUser();
  else askNickname({ count: here.users.length, first: !owner() });
}

function cancelNewUser() {
  if (!owner()) return;
  closeNewcomer();
  $("add").focus();
}

async function addUser() {
  try {
    const user = await createUser(here.account);
    created += 1;
    here.users = [...here.users, user];
    chooseUser(user.id);
  } catch (error) {
    showError(error);
  }
}

function on(id, type, run) {
  $(id).addEventListener(type, (event) => {
    if (type === "submit") event.preventDefault();
    run();
  });
}

on("user", "change", () => chooseUser($("user").value));
on("account", "change", () => { here.account = $("account").value; poll(); });
on("add", "click", toggleNewUser);
on("newcomer-form", "submit", addUser);
on("keep", "click", cancelNewUser);
on("open", "click", openCamera);
on("close", "click", closeCamera);
on("paste", "submit", () => { if ($("address").value.trim()) scanAddress($("address").value.trim()); $("address").value = ""; });
on("allow", "click", () => answerLogin("allow"));
on("refuse", "click", () => answerLogin("refuse"));
on("visit-start", "click", async () => {
  const { sites } = await get("sites").catch(() => ({ sites: [] }));
  askAddress(sites[0] ?? "");
});
on("visit-form", "submit", () => { const address = closeAddress(); if (isPage(address)) visit(address); });
on("visit-close", "click", closeAddress);
on("browser-close", "click", closePage);
on("program-close", "click", closeProgram);
on("blocked", "change", () => act("block_in_mini_programs", { on: $("blocked").checked }, { withFault: false }));
on("browser-back", "click", goBack);
on("browser-reload", "click", reloadPage);
on("full-service", "click", useFullService);
on("snapshots", "change", () => act("snapshots", { on: $("snapshots").checked }, { withFault: false }));
on("sns", "change", () => act("sns_fault", { fault: $("sns").value || undefined }, { withFault: false }));
on("follow", "click", () => act("follow"));
on("dismiss", "click", () => act("dismiss", {}, { withFault: false }));
on("search", "click", () => act("follow", { by_search: true }));
on("unfollow", "click", () => act("unfollow"));
on("leave", "click", () => act("unfollow"));
on("write", "submit", () => {
  const text = $("text").value;
  $("text").value = "";
  if (text.trim()) act("say", { text });
});
on("mischief", "change", showArmed);
on("disarm", "click", () => { disarm(); $("text").focus(); });
on("noise-form", "submit", () => act("noise", { kind: $("noise").value }, { withFault: false }));
for (const what of ["withhold", "disclose", "change"]) {
  on(what, "click", () => act(`${what}_unionid`, {}, { withFault: false }));
}
on("verify", "click", async () => {
  const verified = await act("verify", {}, { withFault: false });
  if (verified) toast(verified.flaw ? t("badCallback", { flaw: verified.flaw }) : t("verified"));
});
on("desk", "toggle", poll);
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (isTop("newcomer")) cancelNewUser();
  else if (isTop("visit")) closeAddress();
  else if (isTop("program")) closeProgram();
  else if (isTop("browser")) closePage();
  else if (isTop("consent")) answerLogin("refuse");
  else if (isTop("prompt")) act("dismiss", {}, { withFault: false });
  else if (isTop("camera")) closeCamera();
});
watchPictures({
  begun: () => toast(t("looking")),
  found: ({ code, consent, program_code: programCode, page }) => {
    toast("");
    if (code) scan(code.id);
    else if (consent) scanLogin(consent);
    else if (programCode) scanProgram(programCode);
    else scanAddress(page);
  },
  several: (codes) => { toast(""); here.choice = codes; openCamera(); },
  failed: showError,
  text: scanAddress,
});

wide.addEventListener("change", () => layer("camera", wide.matches));

speak(navigator.language);
loadTricks().catch(() => toast(t("unreachable")));
layer("camera", wide.matches || here.aimed !== null);
watchChat();
poll();
