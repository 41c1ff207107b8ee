// What the page asks of its server, and nothing of any other.

/** An answer that is a refusal: code, detail, and the seconds after which to try again. */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail ?? "");
    this.status = status;
    this.code = problem.code ?? "other";
    this.retryAfter = Number(retryAfter) || 0;
  }
}

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
};

async function ask(method, path, body) {
  const options = { method, headers: body === undefined ? {} : { "Content-Type": "application/json" } };
  if (body !== undefined) options.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused(0, { code: "network" });
  }
  const content = parsed(await answer.text());
  if (!answer.ok) throw new Refused(answer.status, content, answer.headers.get("Retry-After"));
  return content;
}

const at = (photo, rest = "") => `session/pictures/${encodeURIComponent(photo)}${rest}`;

export const api = {
  session: () => ask("GET", "session"),
  login: (password) => ask("POST", "login", { password }),
  forget: () => ask("DELETE", "session"),
  photo: (id) => ask("GET", at(id)),
  restore: (id, options, faces) => ask("POST", at(id, "/restore"), { options, faces }),
  cancel: (id) => ask("POST", at(id, "/cancel")),
  remove: (id) => ask("DELETE", at(id)),
  file: (id, name) => at(id, `/files/${encodeURIComponent(name)}`),
  zip: "session/results.zip",
};

/** Send a file; `progress` takes a share from 0 to 1. (fetch does not tell how much was sent.) */
export function upload(file, name, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `session/pictures?name=${encodeURIComponent(name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new Refused(0, { code: "network" }));
    request.onload = () => {
      const content = parsed(request.responseText);
      if (request.status < 300) resolve(content);
      else reject(new Refused(request.status, content, request.getResponseHeader("Retry-After")));
    };
    request.send(file);
  });
}
