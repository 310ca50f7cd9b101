// The browser inside WeChat: a frame with the pages of /inside/ (sandbox/in_app_browser), which has this page's origin.

import { $, el } from "./dom.js";
import { isOpen, layer } from "./layers.js";
import { t } from "./words.js";

let frame = null;
let loads = 0;

/** Return whether the text of a QR code is the address of a page. */
export function isPage(text) {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

/** Open the page at `address` inside the WeChat of `user`. */
export function openPage(user, address) {
  const { protocol, host, pathname, search, hash } = new URL(address);
  frame?.remove();
  loads = 0;
  const src = `/inside/${user}/${protocol.slice(0, -1)}/${host}${pathname}${search}${hash}`;
  frame = el("iframe", { src, title: t("browser"), "data-testid": "browser-page", onload: showWhere });
  $("page").append(frame);
  $("browser-host").textContent = host;
  $("browser-title").textContent = "";
  layer("browser", true);
  $("browser-close").focus();
}

export function closePage() {
  if (!isOpen("browser")) return;
  frame.remove(); // and with it its part of the history
  layer("browser", false);
  $("open").focus();
}

/** Go one page back; from the first one, back to the chat. */
export function goBack() {
  const { history, navigation } = frame.contentWindow;
  if (navigation?.canGoBack ?? loads > 1) history.back();
  else closePage();
}

export const reloadPage = () => frame.contentWindow.location.reload();

function showWhere() {
  loads += 1;
  const { location, document: page } = frame.contentWindow;
  $("browser-host").textContent = location.pathname.split("/")[4] ?? "";
  $("browser-title").textContent = page.title;
}

/** Ask for the address of a page. */
export function askAddress(suggested) {
  $("visit-address").value = suggested;
  layer("visit", true);
  $("visit-address").focus();
  $("visit-address").select();
}

/** End `askAddress`, and return what was entered. */
export function closeAddress() {
  layer("visit", false);
  $("visit-start").focus();
  return $("visit-address").value.trim();
}
