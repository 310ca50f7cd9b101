// The page of a login with WeCom: one person of the sandbox allows or refuses it, as a member or as an outsider.

import { get, post } from "./api.js";
import { $, fill, option } from "./dom.js";

const { consent, corp, target } = document.querySelector("main").dataset;
const user = () => $("person").value;

function showMember({ userid }) {
  $("member").checked = userid !== null;
  $("userid").textContent = userid === null ? "" : `(${userid})`;
}

const readMember = async () => showMember(await get("member", { user: user(), corp }));

async function showPeople() {
  const { users } = await get("users");
  if (!users.length) users.push(await post("users", { nickname: "小林 Lin" }));
  fill($("person"), users.map((one) => option([one.id, one.nickname])));
  await readMember();
}

const change = async () =>
  showMember(await post($("member").checked ? "enroll" : "dismiss_member", { user: user(), corp }));

async function answer(name) {
  const { address } = await post(name, { user: user(), consent });
  (target === "self" ? window : window.top).location.href = address;
}

const shown = (act) => () => act().catch((error) => { $("fault").textContent = error.message; });

$("person").addEventListener("change", shown(readMember));
$("member").addEventListener("change", shown(change));
$("allow").addEventListener("click", shown(() => answer("allow")));
$("refuse").addEventListener("click", shown(() => answer("refuse")));
shown(showPeople)();
