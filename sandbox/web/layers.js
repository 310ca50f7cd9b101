// The layers of the page. Only the topmost one is interactive; those below it are inert.

import { $ } from "./dom.js";

const FROM_THE_TOP = ["newcomer", "visit", "consent", "program", "browser", "prompt", "camera", "beneath"];
const NEIGHBOURS = ["camera", "beneath"];

/** Matches where the camera is beside the phone; on a narrower screen it covers the chat. */
export const wide = matchMedia("(min-width: 800px)");

/** Show or hide a layer. */
export function layer(id, visible) {
  $(id).hidden = !visible;
  const top = FROM_THE_TOP.find(isOpen);
  for (const name of FROM_THE_TOP) $(name).inert = name !== top && !areBeside(name, top);
}

const areBeside = (one, other) => wide.matches && NEIGHBOURS.includes(one) && NEIGHBOURS.includes(other);

export const isOpen = (id) => !$(id).hidden;

/** Return whether this layer is open and interactive. */
export const isTop = (id) => isOpen(id) && !$(id).inert;
