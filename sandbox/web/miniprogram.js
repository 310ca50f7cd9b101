// Runs a mini program in a frame of the phone page: its own scripts, templates and styles (sandbox/mini_program).
//
// Emulates App, Page and what the example uses of `wx`. The query of this page says whose phone it is and what was
// opened: `user`, `page`, `scene`.

import { el } from "./dom.js";
import { post } from "./api.js";
import { render } from "./wxml.js";

const given = new URLSearchParams(location.search);
const program = location.pathname.split("/")[3];
const modules = new Map();
const loaded = new Map();
let page = null;

// -- scripts -----------------------------------------------------------------------------------------------

/** Add a script, as the wrapper around each does. */
globalThis.define = (path, body) => modules.set(path, body);

function load(path) {
  if (loaded.has(path)) return loaded.get(path).exports;
  const module = { exports: {} };
  loaded.set(path, module);
  modules.get(path)((name) => load(resolved(name, path)), module, module.exports);
  return module.exports;
}

const resolved = (name, from) => `${new URL(name, `http://program/${from}`).pathname.slice(1).replace(/\.js$/, "")}.js`;

globalThis.App = (options) => { globalThis.getApp = () => options; };

globalThis.Page = (options) => {
  page = {
    ...options,
    data: structuredClone(options.data ?? {}),
    setData(changes) { Object.assign(this.data, changes); draw(); },
  };
};

// -- wx ----------------------------------------------------------------------------------------------------

globalThis.wx = {
  getAppBaseInfo: () => ({ language: given.get("language") }),
  setNavigationBarTitle: ({ title }) => { document.title = title; tell({ title }); },
  exitMiniProgram: () => tell({ exit: true }),
  login: (asked) => answer(asked, () => post("mini_program_login", { user: given.get("user"), program })),
  request: (asked) => answer(asked, async () => {
    const data = JSON.stringify(asked.data);
    const told = await post("mini_program_request", { user: given.get("user"), program, url: asked.url, data });
    return { statusCode: told.status, data: parsed(told.text) };
  }),
};

async function answer({ success, fail, complete }, call) {
  let result;
  try {
    result = await call();
  } catch (error) {
    fail?.({ errMsg: error.message });
    complete?.({ errMsg: error.message });
    return;
  }
  success?.(result);
  complete?.(result);
}

/** As `wx.request`: what is no JSON stays text. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const tell = (message) => parent.postMessage({ miniProgram: message }, location.origin);

// -- the page ----------------------------------------------------------------------------------------------

let template = null;

function draw() {
  if (template) document.body.replaceChildren(render(template, page.data, (name, event) => page[name](event)));
}

async function text(name) {
  const answered = await fetch(name);
  if (!answered.ok) throw new Error(`${name}: HTTP ${answered.status}`);
  return answered.text();
}

function script(src) {
  return new Promise((done, failed) => {
    document.head.append(el("script", { src, onload: done, onerror: () => failed(new Error(src)) }));
  });
}

async function open() {
  const path = given.get("page");
  const [wxml] = await Promise.all([text(`${path}.wxml`), script("program.js")]);
  document.head.append(el("link", { rel: "stylesheet", href: `${path}.wxss` }));
  template = wxml;
  load("app.js");
  load(`${path}.js`);
  // WeChat encodes the scene once, and the page decodes it (wechat-protocol.md 11).
  page.onLoad?.(given.get("scene") ? { scene: encodeURIComponent(given.get("scene")) } : {});
  draw();
}

open().catch((error) => { document.body.textContent = error.message; });
