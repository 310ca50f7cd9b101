// What lies over what. Only the topmost layer can be reached; below it nothing takes the focus.

import { $ } from "./dom.js";

const FROM_THE_TOP = ["newcomer", "prompt", "camera", "beneath"];
const NEIGHBOURS = ["camera", "beneath"];

/** True where the camera lies beside the phone; elsewhere it lies over the chat. */
export const wide = matchMedia("(min-width: 800px)");

/** Show or hide a layer. */
export function layer(id, visible) {
  $(id).hidden = !visible;
  const top = FROM_THE_TOP.find(isOpen);
  for (const name of FROM_THE_TOP) $(name).inert = name !== top && !areBeside(name, top);
}

const areBeside = (one, other) => wide.matches && NEIGHBOURS.includes(one) && NEIGHBOURS.includes(other);

export const isOpen = (id) => !$(id).hidden;

/** Say whether this layer can be reached. */
export const isTop = (id) => isOpen(id) && !$(id).inert;
