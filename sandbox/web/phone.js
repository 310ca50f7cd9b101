// The pretend phone: looks at the sandbox a little more than once a second and shows what has changed.

import { showCodes } from "./camera.js";
import { showChat, watchChat } from "./chat.js";
import { get, post } from "./door.js";
import { $, changed, face, fill, option } from "./dom.js";
import { disarm, learnTricks, offerTricks, showArmed, takeMischief } from "./drawer.js";
import { isOpen, isTop, layer, wide } from "./layers.js";
import { showLog } from "./log.js";
import { askNickname, closeNewcomer, createUser, remember, remembered, showOwners } from "./people.js";
import { watchPictures } from "./pictures.js";
import { has, speak, t } from "./words.js";

const PAUSE = 800;
const EAGER_PAUSE = 150;
const EAGER_ROUNDS = 10;
const TOAST_FOR = 5000;

const here = { user: remembered(), account: "", aimed: codeInAddress(), choice: null, users: [], accounts: new Map() };
let eager = 0;
let timer = 0;
let toastTimer = 0;
let made = 0; // phones, by this page

function codeInAddress() {
  return location.pathname.match(/^\/q\/(02[0-9A-Za-z]+)$/)?.[1] ?? null;
}

function toast(text) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  toastTimer = setTimeout(() => { $("toast").textContent = ""; }, TOAST_FOR);
}

const complain = (error) => toast(has(error.reason) ? t(error.reason) : error.message);

const owner = () => here.users.find((user) => user.id === here.user);

// -- looking -----------------------------------------------------------------------------------------------

async function look() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await lookOnce();
  } catch {
    toast(t("unreachable"));
  }
  clearTimeout(timer); // another look may have begun while this one waited
  timer = setTimeout(look, eager-- > 0 ? EAGER_PAUSE : PAUSE);
}

async function lookOnce() {
  const before = made;
  const [{ users }, { accounts }] = await Promise.all([get("users"), get("accounts")]);
  if (made !== before) return; // this list may lack the phone that was made meanwhile
  showUsers(users);
  showAccounts(accounts);
  const [codes, phone, log] = await Promise.all([
    isOpen("camera") ? get("codes") : null,
    owner() ? get("phone", { user: here.user, account: here.account }) : null,
    owner() && $("desk").open ? get("deliveries", { user: here.user }) : null,
  ]);
  if (codes) showCodes(codes.codes, { names: here.accounts, aimed: here.aimed, choice: here.choice, scan });
  if (phone && phone.user === here.user && phone.appid === here.account) showPhone(phone);
  if (log) showLog(log.deliveries);
}

function showUsers(users) {
  here.users = users;
  // Whoever comes by a code with a phone of their own is somebody new; on the desk, the last phone is taken up.
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

function showPhone(phone) {
  const person = { id: here.user, name: owner()?.nickname ?? "" };
  const account = { id: phone.appid, name: here.accounts.get(phone.appid) };
  showChat(phone, { person, account, tap: (link) => act("tap", { link }) });
  $("standing").textContent = t(phone.following ? "following" : "stranger");
  $("unfollow").hidden = !phone.following;
  $("leave").disabled = !phone.following;
  $("stranger").hidden = phone.following;
  $("text").disabled = !phone.following;
  $("text").placeholder = t(phone.following ? "message" : "cannotWrite");
  $("write").querySelector(".send").disabled = !phone.following;
  if (isOpen("prompt") !== (phone.pending !== null)) {
    layer("prompt", phone.pending !== null);
    (phone.pending ? $("follow") : $("open")).focus();
  }
}

// -- doing -------------------------------------------------------------------------------------------------

async function act(name, body = {}, { spoilt = true, absent = null } = {}) {
  const mischief = spoilt ? takeMischief() : undefined;
  try {
    return await post(name, { user: here.user, account: here.account, wait: false, mischief, ...body });
  } catch (error) {
    if (absent && error.status === 404) toast(t(absent));
    else complain(error);
    return null;
  } finally {
    lookEagerly();
  }
}

function lookEagerly() {
  eager = EAGER_ROUNDS;
  look();
}

async function scan(code) {
  if (!owner()) return;
  const seen = await act("scan", { code, account: undefined }, { absent: "unknownCode" });
  if (!seen) return;
  here.choice = null;
  here.account = seen.code.appid;
  here.aimed = null;
  if (location.pathname !== "/") history.replaceState(null, "", "/");
  if (seen.outcome === "expired") toast(t("expired"));
  else closeCamera();
  look();
}

function scanAddress(text) {
  const id = text.match(/\/q\/(02[0-9A-Za-z]+)/)?.[1];
  if (id) scan(id);
  else toast(t("unknownCode"));
}

function openCamera() {
  layer("camera", true);
  if (isTop("camera")) (wide.matches ? $("codes").querySelector("button") ?? $("choose") : $("close")).focus();
  look();
}

function closeCamera() {
  here.choice = null;
  layer("camera", wide.matches); // beside the phone it stays
  if (isTop("beneath")) $("open").focus();
}

function choosePhone(id) {
  here.user = id;
  remember(id);
  closeNewcomer();
  if (here.aimed) openCamera();
  else look();
}

function askForAnother() {
  if (isOpen("newcomer")) closeIfMayBe();
  else askNickname({ count: here.users.length, first: !owner() });
}

function closeIfMayBe() {
  if (!owner()) return;
  closeNewcomer();
  $("add").focus();
}

async function begin() {
  try {
    const user = await createUser();
    made += 1;
    here.users = [...here.users, user];
    choosePhone(user.id);
  } catch (error) {
    complain(error);
  }
}

function on(id, event, run) {
  $(id).addEventListener(event, (happened) => {
    if (event === "submit") happened.preventDefault();
    run();
  });
}

on("user", "change", () => choosePhone($("user").value));
on("account", "change", () => { here.account = $("account").value; look(); });
on("add", "click", askForAnother);
on("newcomer-form", "submit", begin);
on("keep", "click", closeIfMayBe);
on("open", "click", openCamera);
on("close", "click", closeCamera);
on("paste", "submit", () => { if ($("address").value.trim()) scan($("address").value); $("address").value = ""; });
on("follow", "click", () => act("follow"));
on("dismiss", "click", () => act("dismiss", {}, { spoilt: false }));
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
on("noise-form", "submit", () => act("noise", { kind: $("noise").value }, { spoilt: false }));
on("verify", "click", async () => {
  const verified = await act("verify", {}, { spoilt: false });
  if (verified) toast(verified.flaw ? t("badCallback", { flaw: verified.flaw }) : t("verified"));
});
on("desk", "toggle", look);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (isTop("newcomer")) closeIfMayBe();
  else if (isTop("prompt")) act("dismiss", {}, { spoilt: false });
  else if (isTop("camera")) closeCamera();
});
watchPictures({
  begun: () => toast(t("looking")),
  found: (code) => { toast(""); scan(code.id); },
  several: (codes) => { toast(""); here.choice = codes; openCamera(); },
  failed: complain,
  text: scanAddress,
});

wide.addEventListener("change", () => layer("camera", wide.matches));

speak(navigator.language);
learnTricks().catch(() => toast(t("unreachable")));
layer("camera", wide.matches || here.aimed !== null);
watchChat();
look();
