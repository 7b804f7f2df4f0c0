/* <plaudit-member>: a member's balances, progress and notifications, live. Part of Plaudit (Apache-2.0).

   <script type="module" src="https://your.server/widget/plaudit-member.js"></script>
   <plaudit-member org="…" token="…"></plaudit-member>

   Attributes  server   the API's address (default: this script's server)
               org      the organisation's id
               token    the member's token; or set the property getToken, a function that returns one, or a promise of one
               metric   the metric at the top (default: points)
               locale   the locale of texts and numbers (default: the page's)
               show     the parts to show, in order: "points ladder streaks challenges badges"
               toasts   "off" for no toasts
   Properties  getToken, texts (your own texts, by the keys of TEXTS below)
   Events      plaudit-notification (detail: the notification; preventDefault() suppresses the toast), plaudit-changed,
               plaudit-error
   Theme       --plaudit-accent, --plaudit-background, --plaudit-text, --plaudit-muted, --plaudit-border,
               --plaudit-radius, --plaudit-font; parts: card, points, ladder, streak, challenge, badge, toast */

const TEXTS = {
  en: { region: "Your rewards", points: "Points", next: "{missing} to {name}", top: "Top level reached", days: "in a row",
        challenges: "Challenges", done: "Completed", of: "{current} of {target}", badges: "Badges", none: "None yet",
        until: "Check in by {time}", broken: "Start a new streak", close: "Close", failed: "This can't be shown right now." },
  de: { region: "Deine Belohnungen", points: "Punkte", next: "Noch {missing} bis {name}", top: "Ganz oben", days: "in Folge",
        challenges: "Aufgaben", done: "Geschafft", of: "{current} von {target}", badges: "Abzeichen", none: "Noch keine",
        until: "Verlängern bis {time}", broken: "Beginne eine neue", close: "Schließen", failed: "Das lässt sich gerade nicht zeigen." },
  fr: { region: "Vos récompenses", points: "Points", next: "Encore {missing} jusqu’à {name}", top: "Au sommet", days: "d’affilée",
        challenges: "Défis", done: "Terminé", of: "{current} sur {target}", badges: "Badges", none: "Aucun pour l’instant",
        until: "À prolonger avant {time}", broken: "Commencez-en une autre", close: "Fermer", failed: "Affichage impossible pour le moment." },
  es: { region: "Tus recompensas", points: "Puntos", next: "Faltan {missing} para {name}", top: "En lo más alto", days: "seguidos",
        challenges: "Retos", done: "Completado", of: "{current} de {target}", badges: "Insignias", none: "Ninguna todavía",
        until: "Amplíala antes de {time}", broken: "Empieza otra", close: "Cerrar", failed: "No se puede mostrar ahora." },
};

const STYLE = `
:host{--accent:var(--plaudit-accent,#5b3df5);--bg:var(--plaudit-background,#fff);--fg:var(--plaudit-text,#16151d);
  --muted:var(--plaudit-muted,#5d5b6b);--line:var(--plaudit-border,#e4e2ee);--radius:var(--plaudit-radius,14px);
  display:block;color:var(--fg);font-family:var(--plaudit-font,system-ui,sans-serif);line-height:1.4;container-type:inline-size}
@media (prefers-color-scheme:dark){:host{--accent:var(--plaudit-accent,#a594ff);--bg:var(--plaudit-background,#1b1a22);
  --fg:var(--plaudit-text,#f3f2f8);--muted:var(--plaudit-muted,#a9a6bb);--line:var(--plaudit-border,#34323f)}}
:host([hidden]){display:none}
*{box-sizing:border-box}h3,p,ul{margin:0;padding:0}ul{list-style:none}
.card{background:var(--bg);border:1px solid var(--line);border-radius:var(--radius);padding:18px;display:grid;gap:16px}
.points{display:flex;align-items:baseline;gap:8px}.points b{font-size:2.2rem;font-weight:750;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.muted,h3{color:var(--muted);font-size:.85rem;font-weight:500}
.row{display:flex;justify-content:space-between;gap:12px;align-items:baseline}.row>:first-child{font-weight:600}
.bar{height:8px;border-radius:99px;background:var(--line);overflow:hidden;margin-top:6px}
.bar i{display:block;height:100%;border-radius:inherit;background:var(--accent);transition:width .5s}
.list{display:grid;gap:12px}.group{display:grid;gap:8px}
.badges{display:flex;flex-wrap:wrap;gap:8px}
.badge{display:flex;align-items:center;gap:8px;border:1px solid var(--line);border-radius:99px;padding:4px 12px 4px 4px;font-size:.85rem}
.badge span{width:26px;height:26px;border-radius:50%;display:grid;place-items:center;background:var(--accent);color:var(--bg);font-weight:700;font-size:.75rem}
.flame{width:1.3em;height:1.3em;vertical-align:-.25em;margin-inline-end:4px;fill:var(--line)}.flame.on{fill:var(--accent)}
.streak b{font-size:1.3rem;font-variant-numeric:tabular-nums}
.skeleton{height:120px;border-radius:var(--radius);background:var(--line);opacity:.6}
.toasts{position:fixed;inset-inline-end:16px;bottom:16px;z-index:2147483000;display:grid;gap:10px;width:min(340px,calc(100vw - 32px))}
.toast{background:var(--bg);color:var(--fg);border:1px solid var(--line);border-inline-start:4px solid var(--accent);border-radius:var(--radius);
  padding:12px 40px 12px 14px;box-shadow:0 8px 30px rgb(0 0 0/.18);position:relative;animation:in .25s ease-out}
.toast b{display:block}.toast .gain{color:var(--accent);font-weight:700}
.toast button{position:absolute;inset-inline-end:6px;top:6px;width:28px;height:28px;border:0;border-radius:8px;background:none;color:var(--muted);font:inherit;cursor:pointer}
.toast button:focus-visible{outline:2px solid var(--accent)}
@keyframes in{from{opacity:0;transform:translateY(12px)}}
@media (prefers-reduced-motion:reduce){.toast{animation:none}.bar i{transition:none}}`;

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(STYLE);

const TOAST_MS = 6000, REFRESH_MS = 2000, RETRY_MS = [500, 1000, 2000, 5000, 10000, 30000];
const fillIn = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

/* Elements and text nodes, never innerHTML: no text from the API is parsed as HTML. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) if (value != null) element.setAttribute(key, value);
  element.append(...children.filter((child) => child != null));
  return element;
}

function flame(burning) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", class: burning ? "flame on" : "flame", "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M12 2c1 4 6 6.5 6 12a6 6 0 0 1-12 0c0-2.5 1.3-4.3 2.6-5.4.1 2 .9 3 1.9 3.4C10 8 10.5 5 12 2z");
  svg.append(path);
  return svg;
}

class PlauditMember extends HTMLElement {
  static observedAttributes = ["server", "org", "token", "metric", "locale", "show"];
  #root = this.attachShadow({ mode: "open" });
  #body = el("div", {});
  #toasts = el("div", { class: "toasts", role: "status", "aria-live": "polite" });
  #connection = null;
  #lastEventId = "";
  #names = {};
  #refreshedAt = 0;
  #isScheduled = false;
  #token = null;
  #me = null;

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [SHEET];
    this.#root.append(this.#body, this.#toasts);
  }

  connectedCallback() { this.#begin(); }
  disconnectedCallback() { this.#connection?.abort(); this.#connection = null; }
  attributeChangedCallback(name, old, value) { if (this.isConnected && old !== value) this.#begin(); }

  /** Fetch and draw everything again, now. */
  async refresh() { await this.#load(this.#connection?.signal); }

  get #locale() { return this.getAttribute("locale") || document.documentElement.lang || navigator.language || "en"; }
  get #texts() { return { ...TEXTS.en, ...TEXTS[this.#locale.split("-")[0]], ...this.texts }; }
  #number(value) { return new Intl.NumberFormat(this.#locale, { maximumFractionDigits: 2 }).format(value); }

  #begin() {
    this.#connection?.abort();
    const connection = (this.#connection = new AbortController());
    this.#lastEventId = "";
    this.#token = null;
    if (!this.getAttribute("token") && !this.getToken) return;
    if (!this.#body.childElementCount) this.#body.append(el("div", { class: "skeleton" }));
    queueMicrotask(() => { // properties are set after attributes
      if (connection.signal.aborted) return;
      this.#load(connection.signal);
      this.#listen(connection.signal);
    });
  }

  async #call(path, signal, headers = {}, mayRenew = true) {
    this.#token ??= this.getToken ? await this.getToken() : this.getAttribute("token");
    const server = this.getAttribute("server") || new URL(import.meta.url).href.replace(/\/widget\/[^/]*$/, "");
    const org = this.getAttribute("org");
    const response = await fetch(server.replace(/\/$/, "") + "/api/loyalty/me" + path, {
      headers: { Authorization: "Bearer " + this.#token, ...(org && { "X-Monterosa-Org-ID": org }), ...headers },
      signal, cache: "no-store",
    });
    if (response.status === 401 && mayRenew && this.getToken) {
      this.#token = null;
      return this.#call(path, signal, headers, false);
    }
    if (!response.ok) throw Object.assign(new Error("HTTP " + response.status), { status: response.status });
    return response;
  }

  async #data(path, signal) { return (await (await this.#call(path, signal)).json()).data; }

  async #load(signal) {
    try {
      const parts = ["", "/campaigns", ...(this.#names.ladders ? [] : ["/ladders", "/streaks"])];
      const [me, campaigns, ladders, streaks] = await Promise.all(parts.map((part) => this.#data(part, signal)));
      if (ladders) this.#names = {
        ladders: Object.fromEntries(ladders.ladders.map((ladder) => [ladder.ladderId, ladder.ladder])),
        streaks: Object.fromEntries(streaks.streaks.map((streak) => [streak.streakId, streak.name])),
      };
      if (signal?.aborted) return;
      this.#me = me;
      this.#draw(me, campaigns.campaigns);
    } catch (error) {
      if (signal?.aborted) return;
      this.#fail(error);
      if (!this.#body.querySelector(".card")) this.#body.replaceChildren(el("div", { class: "card", part: "card" }, el("p", { class: "muted", role: "alert" }, this.#texts.failed)));
    }
  }

  /* Refresh at most once per REFRESH_MS, so that a burst of changes causes one refresh. */
  #scheduleRefresh(signal) {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const wait = Math.max(0, this.#refreshedAt + REFRESH_MS - Date.now());
    setTimeout(async () => {
      this.#isScheduled = false;
      this.#refreshedAt = Date.now();
      if (!signal.aborted) await this.#load(signal);
    }, wait);
  }

  async #listen(signal) {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const response = await this.#call("/stream", signal, { Accept: "text/event-stream", ...(this.#lastEventId && { "Last-Event-ID": this.#lastEventId }) });
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        if (failures) this.#scheduleRefresh(signal);
        failures = 0;
        for (let rest = ""; ; ) {
          const { value, done } = await reader.read();
          if (done) break;
          const blocks = (rest + value).split("\n\n");
          rest = blocks.pop();
          for (const block of blocks) this.#event(block, signal);
        }
      } catch (error) {
        if (signal.aborted) return;
        if ([400, 401, 403, 404].includes(error.status)) return void this.#fail(error);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)] * (0.5 + Math.random())));
    }
  }

  #event(block, signal) {
    const fields = {};
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).trimStart();
    }
    if (fields.id) this.#lastEventId = fields.id; // after a reset, the id of `ready` is the new position, and `changed` follows
    if (fields.event === "notification") {
      const note = JSON.parse(fields.data);
      this.#updateBalances(note.metrics); // the balance changes together with the toast; the rest follows with `changed`
      if (this.#dispatch("plaudit-notification", note) && note.display !== "none" && this.getAttribute("toasts") !== "off") this.#toast(note);
    } else if (fields.event === "changed") {
      this.#dispatch("plaudit-changed");
      this.#scheduleRefresh(signal);
    }
  }

  /* Apply the balances in a notification. `available` changes by the same amount as `balance`. */
  #updateBalances(metrics) {
    const balances = this.#me?.metrics;
    if (!balances) return;
    for (const [metric, { from, to }] of Object.entries(metrics)) {
      const balance = balances[metric];
      if (!balance || balance.balance !== from) continue; // already applied, or our data is older: `changed` refreshes it
      balance.available += to - from;
      balance.balance = to;
    }
    const number = this.#body.querySelector(".points b");
    if (number) number.textContent = this.#number(balances[this.getAttribute("metric") || "points"]?.available ?? 0);
  }

  /* Report an error, with a likely reason in the console: browsers give the same message for every blocked response. */
  #fail(error) {
    const reason = error.status === 401 ? "the token is not accepted (wrong, expired, or of another organisation)"
      : error.status ? error.message
      : `no response that this page may read: the server cannot be reached, or ${location.origin} is not among the settings' cors.origins`;
    console.error("plaudit-member: " + reason);
    this.#dispatch("plaudit-error", error);
  }

  #dispatch(name, detail) { return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true })); }

  #toast(note) {
    const gains = Object.values(note.metrics).map(({ from, to }) => (to > from ? "+" : "") + this.#number(to - from));
    const close = el("button", { type: "button", "aria-label": this.#texts.close }, "×");
    const toast = el("div", { class: "toast", part: "toast" }, note.title ? el("b", {}, note.title) : null, note.message,
      gains.length ? el("span", { class: "gain" }, " " + gains.join(" ")) : null, close);
    let timer = 0;
    const arm = () => { timer = setTimeout(() => toast.remove(), TOAST_MS); };
    close.onclick = () => toast.remove();
    toast.onpointerenter = toast.onfocusin = () => clearTimeout(timer);
    toast.onpointerleave = toast.onfocusout = arm;
    this.#toasts.append(toast);
    arm();
  }

  #draw(me, campaigns) {
    const show = (this.getAttribute("show") || "points ladder streaks challenges badges").split(/\s+/);
    const parts = { points: () => this.#points(me), ladder: () => this.#ladders(me), streaks: () => this.#streaks(me),
      challenges: () => this.#challenges(campaigns), badges: () => this.#badges(me) };
    this.#body.replaceChildren(el("section", { class: "card", part: "card", "aria-label": this.#texts.region, lang: this.#locale },
      ...show.map((name) => parts[name]?.())));
  }

  #bar(percent, label) {
    const now = Math.max(0, Math.min(100, Math.round(percent)));
    const fill = el("i");
    fill.style.width = now + "%"; // a style attribute may violate the page's content security policy
    return el("div", { class: "bar", role: "progressbar", "aria-valuenow": now, "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": label }, fill);
  }

  #points(me) {
    const metric = this.getAttribute("metric") || "points";
    const balance = me.metrics[metric]?.available ?? 0;
    const title = metric === "points" ? this.#texts.points : metric;
    return el("p", { class: "points", part: "points" }, el("b", {}, this.#number(balance)), el("span", { class: "muted" }, title));
  }

  #ladders(me) {
    const all = Object.entries(me.ladders).map(([id, ladder]) => {
      const name = this.#names.ladders[id] ?? id;
      const next = ladder.next;
      const text = next ? fillIn(this.#texts.next, { missing: this.#number(next.missing), name: next.name }) : this.#texts.top;
      const percent = next ? (100 * ladder.score) / (next.threshold || 1) : 100;
      return el("div", { part: "ladder" }, el("div", { class: "row" }, el("span", {}, ladder.name ?? name), el("span", { class: "muted" }, text)), this.#bar(percent, name));
    });
    return all.length ? el("div", { class: "list" }, ...all) : null;
  }

  #streaks(me) {
    const all = Object.entries(me.streaks).map(([id, streak]) => {
      const time = streak.extendBy && new Intl.DateTimeFormat(this.#locale, { weekday: "short", hour: "numeric", minute: "2-digit" }).format(new Date(streak.extendBy));
      const text = streak.alive ? time && fillIn(this.#texts.until, { time }) : this.#texts.broken;
      return el("div", { class: "row streak", part: "streak" },
        el("span", {}, flame(streak.alive), el("b", {}, this.#number(streak.current)), ` ${this.#texts.days}`,
          el("span", { class: "muted" }, ` ${this.#names.streaks[id] ?? id}`)),
        el("span", { class: "muted" }, text || ""));
    });
    return all.length ? el("div", { class: "list" }, ...all) : null;
  }

  #challenges(campaigns) {
    const all = campaigns.filter((campaign) => campaign.steps?.length).map((campaign) => {
      const steps = campaign.steps.filter((step) => !step.done);
      const step = steps[0];
      const done = campaign.completed && !steps.length;
      const text = done || !step ? this.#texts.done : fillIn(this.#texts.of, { current: this.#number(step.current), target: this.#number(step.target) });
      return el("li", { part: "challenge" }, el("div", { class: "row" }, el("span", {}, campaign.name), el("span", { class: "muted" }, text)), this.#bar(done ? 100 : campaign.percent, campaign.name));
    });
    return all.length ? el("div", { class: "group" }, el("h3", {}, this.#texts.challenges), el("ul", { class: "list" }, ...all)) : null;
  }

  #badges(me) {
    const badges = me.inventory.filter((product) => product.type === "badge").map((product) =>
      el("li", { class: "badge", part: "badge" }, el("span", { "aria-hidden": "true" }, (product.name ?? product.productId).slice(0, 1).toUpperCase()), product.name ?? product.productId));
    return el("div", { class: "group" }, el("h3", {}, this.#texts.badges), badges.length ? el("ul", { class: "badges" }, ...badges) : el("p", { class: "muted" }, this.#texts.none));
  }
}

if (!customElements.get("plaudit-member")) customElements.define("plaudit-member", PlauditMember);
export { PlauditMember };
