// What the phone asks above the chat: whether to log in at a website, and whether to open a page inside WeChat.

import { $ } from "./dom.js";
import { layer } from "./layers.js";

let login = null;
let page = null;

/** Ask whether to allow the login; `consent` is the answer of POST scan_consent. */
export function askLogin(consent) {
  login = consent.id;
  $("consent-name").textContent = consent.name;
  layer("consent", true);
  $("allow").focus();
}

/** End the question, and return the id of its consent. */
export function closeLogin() {
  close("consent");
  return login;
}

/** Ask whether to open the page at this address. */
export function askPage(address) {
  page = address;
  $("visit-address").textContent = address;
  layer("visit", true);
  $("visit-open").focus();
}

/** End the question, and return the address of its page. */
export function closePage() {
  close("visit");
  return page;
}

function close(id) {
  layer(id, false);
  $("open").focus();
}
