// What the page does: it takes over the parts that have changed, and gives orders through the API.
"use strict";

const at = (id) => document.getElementById(id);

// ---- live ----

const link = at("link");
let heard = Date.now();

function linked(is) {
  const seconds = Math.round((Date.now() - heard) / 1000);
  const says = is ? "live" : `not live: what you see is ${seconds < 60 ? "up to a minute" : Math.round(seconds / 60) + " min"} old`;
  if (link.textContent !== says) link.textContent = says;
  link.className = is ? "tag good" : "tag bad";
}

// Whoever has come to a button by keyboard stays there when its part is renewed.
function renew(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.innerHTML = html;
  if (focused && at(focused)) at(focused).focus({ preventScroll: true });
}

function follow() {
  const events = new EventSource("/page/live");
  for (const id of ["headline", "lasting", "switches", "answers", "backends", "tiers", "outages"]) {
    events.addEventListener(id, (event) => {
      if (at(id).innerHTML !== event.data) renew(at(id), event.data);
    });
  }
  events.addEventListener("tick", () => {
    heard = Date.now();
    linked(true);
  });
  events.onerror = () => {
    // A browser comes again by itself, unless it was turned away.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
}

setInterval(() => {
  if (Date.now() - heard > 5000) linked(false);
}, 1000);
follow();

// ---- orders ----

const order = at("order");
const field = (name) => order.querySelector(`[data-field="${name}"]`);
const scope = (subject) => {
  if (subject === "all") return { switch: "all", words: "--all" };
  if (subject.startsWith("backend ")) {
    const backend = subject.slice(8);
    return { switch: { backend }, words: `--backend ${shell(backend)}` };
  }
  return { switch: { method: subject }, words: `--method ${shell(subject)}` };
};
const endpoint = (subject) => {
  const cut = subject.lastIndexOf("/");
  return { backend: subject.slice(0, cut), endpoint: subject.slice(cut + 1) };
};
const WHOSE = "Service.method, or backend NAME, or all";
const ENDPOINT = "BACKEND/ADDRESS:PORT";

// Of each action: what it is said of, what else it says, the switch that it sets, and its words in a shell.
const ACTIONS = {
  "hold-stale": {
    of: WHOSE, value: "Answer for so long after ttl at least", given: "6h",
    switch: (of, value) => ({ kind: "hold_stale", of: scope(of).switch, window: value }),
    words: (of, value) => `hold-stale ${shell(value)} ${scope(of).words}`,
  },
  "stale-only": {
    of: WHOSE,
    switch: (of) => ({ kind: "stale_only", of: scope(of).switch }),
    words: (of) => `stale-only ${scope(of).words}`,
  },
  bypass: { of: "Service.method", switch: (method) => ({ kind: "bypass", method }) },
  mode: { of: "the rule's pattern", value: "on, observe or off", given: "observe", switch: (rule, mode) => ({ kind: "mode", rule, mode }) },
  ramp: { of: "the rule's pattern", value: "Percent of its keys", given: "10", switch: (rule, percent) => ({ kind: "ramp", rule, percent: Number(percent) }) },
  drain: { of: ENDPOINT, switch: (of) => ({ kind: "endpoint", ...endpoint(of), state: "drained" }) },
  eject: { of: ENDPOINT, switch: (of) => ({ kind: "endpoint", ...endpoint(of), state: "out" }) },
  "force-in": { of: ENDPOINT, switch: (of) => ({ kind: "endpoint", ...endpoint(of), state: "in" }) },
  weigh: { of: ENDPOINT, value: "Weight, 1 to 1000", given: "1", switch: (of, weight) => ({ kind: "weight", ...endpoint(of), weight: Number(weight) }) },
  down: { of: "the backend", switch: (backend) => ({ kind: "backend", backend, state: "down" }) },
  up: { of: "the backend", switch: (backend) => ({ kind: "backend", backend, state: "up" }) },
  "try-anyway": { of: "the backend", switch: (backend) => ({ kind: "try_anyway", backend }) },
  log: { value: "Level or directives", given: "info,larder::backend=debug", switch: (_, level) => ({ kind: "log", level }) },
  purge: { of: "Service.method, or tag TAG, or call Service.method {\"id\": 1}, or all" },
};

const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
let undone = null;

function purged(subject) {
  if (subject === "all") return { body: { all: true }, words: "--all" };
  if (subject.startsWith("tag ")) return { body: { tag: subject.slice(4) }, words: `--tag ${shell(subject.slice(4))}` };
  const call = subject.match(/^call\s+(\S+)\s*([^]*)$/);
  if (call) {
    const json = call[2] || "{}";
    return { body: { call: { method: call[1], arguments: JSON.parse(json) } }, words: `--call ${shell(call[1])} ${shell(json)}` };
  }
  return { body: { method: subject }, words: `--method ${shell(subject)}` };
}

// The order as it stands in the form: how it is sent, and its words in a shell. Throws where it is not written well.
function written() {
  const [subject, value] = [at("order-subject").value.trim(), at("order-value").value.trim()];
  const [lasts, who, why] = ["for", "who", "why"].map((name) => at(`order-${name}`).value.trim());
  const because = why ? ` --why ${shell(why)}` : "";
  if (undone) {
    return { method: "DELETE", path: `/v1/switches/${undone}`, body: { why }, words: `switch ADDR undo ${undone}${because}` };
  }
  const name = at("order-action").value;
  if (name === "purge") {
    const { body, words } = purged(subject);
    return { method: "POST", path: "/v1/purge", body: { ...body, why }, words: `purge ADDR ${words}${because}` };
  }
  const action = ACTIONS[name];
  const said = action.words ? action.words(subject, value) : [name, ...[action.of && subject, action.value && value].filter(Boolean).map(shell)].join(" ");
  const body = { switch: action.switch(subject, value), why, who };
  if (lasts) body.for = lasts;
  return { method: "POST", path: "/v1/switches", body, words: `switch ADDR ${said}${lasts ? ` --for ${shell(lasts)}` : ""}${because}` };
}

function describe() {
  const action = ACTIONS[at("order-action").value];
  field("subject").hidden = Boolean(undone) || !action.of;
  field("value").hidden = Boolean(undone) || !action.value;
  field("for").hidden = Boolean(undone) || at("order-action").value === "purge";
  field("action").hidden = Boolean(undone);
  at("order-hint").textContent = action.of || "";
  at("order-value-label").textContent = action.value || "Value";
  try {
    at("order-command").textContent = `larder ${written().words.replace("ADDR", order.dataset.orders === "elsewhere" ? "SOCKET" : location.host)}`;
    tell("");
  } catch (error) {
    tell(error.message);
  }
}

function tell(text) {
  at("order-answer").textContent = text;
  at("order-answer").hidden = !text;
}

function open(title) {
  const elsewhere = order.dataset.orders === "elsewhere";
  at("order-title").textContent = title;
  field("token").hidden = order.dataset.orders !== "token";
  at("order-elsewhere").hidden = !elsewhere;
  at("order-send").disabled = elsewhere;
  at("order-why").value = "";
  describe();
  order.showModal();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  if (button.dataset.undo) {
    undone = button.dataset.undo;
    open(`Undo: ${button.dataset.says}`);
  } else if (button.dataset.action) {
    undone = null;
    at("order-action").value = button.dataset.action;
    at("order-subject").value = button.dataset.subject;
    at("order-value").value = ACTIONS[button.dataset.action].given || "";
    open("Steer");
  }
});

at("order-action").addEventListener("change", () => {
  at("order-value").value = ACTIONS[at("order-action").value].given || "";
});
order.addEventListener("input", describe);
order.addEventListener("change", describe);
at("order-cancel").addEventListener("click", () => order.close());

order.addEventListener("submit", async (event) => {
  event.preventDefault();
  at("order-send").disabled = true;
  try {
    const { method, path, body } = written();
    const headers = { "Content-Type": "application/json" };
    const token = at("order-token").value;
    if (token) headers.Authorization = `Bearer ${token}`;
    const answer = await fetch(path, { method, headers, body: JSON.stringify(body) });
    if (answer.ok) {
      // The next look shows it too; until then nobody is to undo it twice.
      document.querySelector(`[data-undo="${undone}"]`)?.closest("li").remove();
      order.close();
    } else tell((await answer.text()).trim());
  } catch (error) {
    tell(error.message);
  } finally {
    at("order-send").disabled = false;
  }
});

// ---- explaining ----

at("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = at("explained");
  said.hidden = false;
  try {
    const asked = { method: at("explain-method").value.trim(), arguments: JSON.parse(at("explain-arguments").value || "{}") };
    const headers = { "Content-Type": "application/json", Accept: "text/plain" };
    const answer = await fetch("/v1/explain", { method: "POST", headers, body: JSON.stringify(asked) });
    said.textContent = (await answer.text()).trim();
  } catch (error) {
    said.textContent = error.message;
  }
});
