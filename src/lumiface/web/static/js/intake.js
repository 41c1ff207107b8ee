// Where photographs come from: the file dialog, a drop, the clipboard, the camera.

import { byId } from "./dom.js";
import { t } from "./i18n.js";
import { openCamera } from "./camera.js";

const isPicture = (file) => file.type.startsWith("image/") || /\.(heic|heif|avif|tiff?|dng|cr[23]|nef|arw|raf|orf|rw2)$/i.test(file.name);

/** Call `take` with [file, name] pairs, wherever they come from. */
export function setUpIntake(take) {
  const picker = byId("files");
  const accept = (list) => {
    const files = [...list].filter(isPicture);
    if (files.length) take(files.map((file) => [file, file.name || "photo"]));
  };
  for (const input of [picker, byId("capture")])
    input.addEventListener("change", () => {
      accept(input.files);
      input.value = "";
    });
  byId("choose").addEventListener("click", choose);
  byId("take").addEventListener("click", () => {
    // Browsers open the camera in a page only at https and on this machine; phones have their own application.
    if (navigator.mediaDevices?.getUserMedia) openCamera((blob) => take([[blob, `${t("camera.name")}.jpg`]]));
    else byId("capture").click();
  });
  document.addEventListener("paste", (event) => accept(event.clipboardData?.files ?? []));
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", () => mark(1));
  document.addEventListener("dragleave", () => mark(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    accept(event.dataTransfer?.files ?? []);
  });
}

/** Open the file dialog. */
export const choose = () => byId("files").click();
