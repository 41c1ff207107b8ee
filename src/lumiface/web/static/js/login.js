// The password, where the server asks for one.

import { api } from "./api.js";
import { byId } from "./dom.js";
import { has, t } from "./i18n.js";

/** Ask until it is right. */
export function askPassword() {
  const [dialog, form, field, line] = ["login", "login-form", "password", "login-error"].map(byId);
  return new Promise((resolve) => {
    dialog.oncancel = (event) => event.preventDefault();
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await api.login(field.value);
        field.value = line.textContent = "";
        dialog.close();
        resolve();
      } catch (refusal) {
        line.textContent = t(has(`error.${refusal.code}`) ? `error.${refusal.code}` : "error.other");
        field.select();
      }
    };
    if (!dialog.open) dialog.showModal();
    field.focus();
  });
}
