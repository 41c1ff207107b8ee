// A photograph by the camera of this device.

import { byId } from "./dom.js";
import { t } from "./i18n.js";

/** Show what the camera sees, and give `take` a JPEG when the visitor asks for it. */
export async function openCamera(take) {
  const dialog = byId("camera");
  const view = byId("camera-view");
  const button = byId("camera-take");
  let stream = null;
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    view.srcObject = null;
  };
  byId("camera-error").textContent = "";
  button.disabled = true;
  button.onclick = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [view.videoWidth, view.videoHeight];
    canvas.getContext("2d").drawImage(view, 0, 0);
    canvas.toBlob((blob) => blob && take(blob), "image/jpeg", 0.95);
    dialog.close();
  };
  byId("camera-close").onclick = () => dialog.close();
  dialog.onclose = stop;
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 }, height: { ideal: 1080 } } });
    if (!dialog.open) return stop();
    view.srcObject = stream;
    await view.play();
    button.disabled = false;
    button.focus();
  } catch {
    byId("camera-error").textContent = t("camera.refused");
  }
}
