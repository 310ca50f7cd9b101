// The pretend phone: looks at the sandbox a little more than once a second and shows what has changed.

import { showCodes } from "./camera.js";
import { showChat } from "./chat.js";
import { get, post } from "./door.js";
import { $, changed, fill } from "./dom.js";
import { offerTricks, showLog, takeMischief } from "./drawer.js";

const PAUSE = 800;
const EAGER_PAUSE = 150;
const EAGER_ROUNDS = 10;
const TOAST_FOR = 3500;
const NICKNAMES = ["小林 Lin", "Anna", "小雨 Yu", "Ben", "阿杰 Jay", "Mia", "老王 Wang", "Leo"];

const here = { user: remembered(), account: "", aimed: codeInAddress(), names: new Map() };
let eager = 0;
let timer = 0;
let toastTimer = 0;

function codeInAddress() {
  return location.pathname.match(/^\/q\/(02[0-9A-Za-z]+)$/)?.[1] ?? null;
}

function remembered() {
  try {
    return localStorage.getItem("user") ?? "";
  } catch {
    return ""; // storage is forbidden in some private windows
  }
}

function remember(user) {
  here.user = user;
  try {
    localStorage.setItem("user", user);
  } catch {
    // then the choice lasts as long as the page
  }
}

function toast(text) {
  clearTimeout(toastTimer);
  $("toast").textContent = text;
  $("toast").hidden = false;
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, TOAST_FOR);
}

// -- looking -----------------------------------------------------------------------------------------------

async function look() {
  clearTimeout(timer);
  try {
    if (!document.hidden) await lookOnce();
  } catch (error) {
    toast(`Sandbox: ${error.message}`);
  }
  clearTimeout(timer); // another look may have begun while this one waited
  timer = setTimeout(look, eager-- > 0 ? EAGER_PAUSE : PAUSE);
}

async function lookOnce() {
  const [{ users }, { accounts }] = await Promise.all([get("users"), get("accounts")]);
  showUsers(users);
  showAccounts(accounts);
  const [{ codes }, phone, log] = await Promise.all([
    get("codes"),
    here.user ? get("phone", { user: here.user, account: here.account }) : null,
    here.user && document.querySelector(".desk").open ? get("deliveries", { user: here.user }) : null,
  ]);
  if (!$("camera").hidden) showCodes(codes, here.names, here.aimed, scan);
  if (phone && phone.user === here.user && phone.appid === here.account) showPhone(phone);
  if (log) showLog(log.deliveries);
}

function showUsers(users) {
  if (!users.some((user) => user.id === here.user)) here.user = users.at(-1)?.id ?? "";
  if (changed("users", [users, here.user])) {
    fill($("user"), users.map((user) => [user.id, user.nickname]), here.user);
    if (users.length === 0) askNickname(0);
    else if (!$("nickname").value) $("nickname").value = NICKNAMES[users.length % NICKNAMES.length];
  }
  $("user").disabled = users.length === 0;
}

function showAccounts(accounts) {
  if (!accounts.some((account) => account.appid === here.account)) here.account = accounts[0].appid;
  if (!changed("accounts", [accounts, here.account])) return;
  here.names = new Map(accounts.map((account) => [account.appid, account.name]));
  fill($("account"), accounts.map((account) => [account.appid, account.name]), here.account);
  $("account-field").hidden = accounts.length < 2;
  $("name").textContent = here.names.get(here.account);
}

function showPhone(phone) {
  showChat(phone, (link) => act("tap", { link }));
  $("unfollow").hidden = !phone.following;
  $("stranger").hidden = phone.following || phone.pending !== null;
  $("text").disabled = !phone.following;
  $("write").querySelector(".main").disabled = !phone.following;
  $("prompt-name").textContent = here.names.get(phone.appid);
  if ($("prompt").hidden !== (phone.pending === null)) {
    $("prompt").hidden = phone.pending === null;
    if (phone.pending) $("follow").focus();
  }
}

// -- doing -------------------------------------------------------------------------------------------------

async function act(name, body = {}, { plain = false } = {}) {
  const mischief = plain ? undefined : takeMischief();
  try {
    return await post(name, { user: here.user, account: here.account, wait: false, mischief, ...body });
  } catch (error) {
    toast(error.message);
    return null;
  } finally {
    eager = EAGER_ROUNDS;
    look();
  }
}

async function scan(code) {
  if (!here.user) return askNickname(0);
  const seen = await act("scan", { code, account: undefined });
  if (!seen) return;
  here.account = seen.code.appid;
  here.aimed = null;
  if (location.pathname !== "/") history.replaceState(null, "", "/");
  if (seen.outcome === "expired") return toast("This code is out of date. 二维码已过期");
  closeCamera();
  look();
}

function openCamera() {
  $("camera").hidden = false;
  $("close").focus();
  look();
}

function closeCamera() {
  $("camera").hidden = true;
  $("open").focus();
}

function askNickname(count) {
  $("camera").hidden = true; // it would cover the form
  $("newcomer").hidden = false;
  $("add").setAttribute("aria-expanded", "true");
  if (!$("nickname").value) $("nickname").value = NICKNAMES[count % NICKNAMES.length];
}

async function createUser() {
  const fields = { nickname: $("nickname").value, language: $("language").value };
  if ($("unionid").value) fields.unionid = $("unionid").value;
  const user = await act("users", fields, { plain: true });
  if (!user) return;
  remember(user.id);
  $("nickname").value = $("unionid").value = "";
  $("newcomer").hidden = true;
  $("add").setAttribute("aria-expanded", "false");
  if (here.aimed) openCamera();
  else look();
}

function on(id, event, run) {
  $(id).addEventListener(event, (happened) => {
    if (event === "submit") happened.preventDefault();
    run();
  });
}

on("user", "change", () => { remember($("user").value); look(); });
on("account", "change", () => { here.account = $("account").value; look(); });
on("add", "click", () => {
  const open = $("newcomer").hidden;
  $("newcomer").hidden = !open;
  $("add").setAttribute("aria-expanded", String(open));
});
on("newcomer", "submit", createUser);
on("open", "click", openCamera);
on("close", "click", closeCamera);
on("paste", "submit", () => { if ($("address").value.trim()) scan($("address").value); $("address").value = ""; });
on("follow", "click", () => act("follow"));
on("dismiss", "click", () => act("dismiss", {}, { plain: true }));
on("search", "click", () => act("follow", { by_search: true }));
on("unfollow", "click", () => act("unfollow"));
on("write", "submit", () => {
  const text = $("text").value;
  $("text").value = "";
  if (text.trim()) act("say", { text });
});
on("noise-form", "submit", () => act("noise", { kind: $("noise").value }, { plain: true }));
on("verify", "click", async () => {
  const verified = await act("verify", {}, { plain: true });
  if (verified) toast(verified.flaw ?? "The callback address answers well. 验证通过");
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("camera").hidden) closeCamera(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
document.querySelector(".desk").addEventListener("toggle", look);

offerTricks().catch((error) => toast(error.message));
if (here.aimed) openCamera();
else look();
