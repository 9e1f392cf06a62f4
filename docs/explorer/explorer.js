// The page: shows one design at a time, and takes the reader from one to the next.
"use strict";

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone percent sign
  }
}

const explorer = {
  table: null,
  python: null,
  shown: null, // the record on the page
  trail: [], // records before it, for the button "Back"

  /** Shows a record; `words` say how it came about. */
  show(record, words = "", keep = true) {
    const before = this.shown;
    if (keep && before && before.address !== record.address) this.trail.push(before);
    this.shown = record;
    this.problem("");
    for (const [name, html] of Object.entries(record.views)) {
      const place = document.querySelector(`[data-view="${name}"]`);
      if (!before || before.views[name] !== html) this.fill(place, html, Boolean(before));
    }
    fillCards(document.getElementById("cards"), before, record);
    this.controls(record);
    history.replaceState(null, "", `#${record.address}`);
    const [params, macs, field, accuracy] = document.querySelectorAll("#cards b");
    if (words) {
      document.getElementById("said").textContent =
        `${words}. ${params.textContent} parameters, ${macs.textContent} multiply-accumulates, ` +
        `receptive field ${field.textContent}, top-1 ${accuracy.textContent}.`;
    }
  },

  fill(place, html, mark) {
    const stop = document.activeElement?.closest?.("[data-stop]")?.dataset.stop;
    replaceAndMark(place, html, mark && place.id !== "cards");
    if (place.dataset.view !== "road") return;
    const stops = [...place.querySelectorAll("[data-stop]")];
    const here = stops.find((button) => button.ariaCurrent) ?? place.querySelector(".ax-near") ?? stops[0];
    for (const button of stops) button.tabIndex = button === here ? 0 : -1;
    if (stop !== undefined) place.querySelector(`[data-stop="${stop}"]`)?.focus({ preventScroll: true });
    const frame = place.getBoundingClientRect();
    const box = here.getBoundingClientRect();
    place.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
  },

  controls(record) {
    document.querySelectorAll("[data-switch]").forEach((input, index) => {
      input.checked = record.on[index];
      const effect = document.getElementById(`effect${index}`);
      if (effect.textContent !== record.effects[index]) effect.textContent = record.effects[index];
    });
    document.querySelectorAll("[data-control]").forEach((input, index) => (input.value = record.values[index]));
    document.getElementById("back").ariaDisabled = !this.trail.length; // a disabled button would lose the focus
    const done = record.on.every((on) => on);
    document.getElementById("next").ariaDisabled = done;
    document.getElementById("next").textContent = done ? "All steps taken" : "Take the next step";
  },

  problem(text) {
    const place = document.getElementById("problem");
    place.textContent = text;
    place.className = text ? "problem" : "";
  },

  /** Shows a design of the table. */
  go(number, words) {
    this.asked = null;
    this.show(this.table.record(number), words);
  },

  /** Shows the design at an address, from the table or else from Python; says why if there is none. */
  async visit(address, words, problem = (reason) => `That is not possible, so nothing was changed: ${reason}`) {
    const number = this.table.find(address);
    const asked = (this.asked = Symbol(address));
    if (number >= 0) return this.go(number, words);
    const answer = await this.python.ask(address).catch((error) => ({ problem: `Python could not start: ${error.message}.` }));
    if (asked !== this.asked) return; // the reader went on while Python was loading
    if (!answer.problem) return this.show(answer, words);
    this.controls(this.shown);
    this.problem(problem(answer.problem));
  },

  flip(bit) {
    const name = document.querySelector(`[data-switch="${bit}"]`).labels[0].querySelector(".name").textContent;
    return this.visit(this.table.flipped(this.shown, bit), `${name} ${this.shown.on[bit] ? "off" : "on"}`);
  },

  /** Gives a free control a value, as text. */
  set(control, text) {
    const { address, values } = this.shown;
    const depth = control.match(/^depth(\d)$/)?.[1];
    const [field, value] = depth ? ["depths", values.slice(-4).with(depth, text).join(",")] : [control, text];
    return this.visit(this.table.addressWith(address, field, value), `${control.replace("_", " ")} ${text}`);
  },

  /** Takes the first step of the paper that the design lacks. */
  next() {
    const axis = this.shown.on.indexOf(false);
    if (axis >= 0) this.flip(axis);
  },

  back() {
    const record = this.trail.pop();
    if (record) this.show(record, "Back", false);
  },

  /** Opens the design of the page's address; if there is none, says what is wrong and shows ResNet-50. */
  async open() {
    const { fields } = this.table.data;
    const address = decode(location.hash.slice(1));
    const number = this.table.find(address);
    if (number >= 0) return this.go(number);
    this.go(0);
    const noDesign = (reason) => `The address names no design: ${reason} This is ResNet-50.`;
    const unknown = address.split("&").find((part) => !fields.includes(part.split("=")[0]));
    if (unknown === undefined) return this.visit(address, "Design of the address", (reason) => noDesign(`${reason}.`));
    this.problem(noDesign(`“${unknown}” is none of ${fields.join(", ")}.`));
  },

  copy(button) {
    const name = button.dataset.copy;
    const text = name === "link" ? location.href : document.querySelector(`[data-view="${name}"]`).textContent;
    const area = Object.assign(document.createElement("textarea"), { value: text });
    const said = document.getElementById("said");
    navigator.clipboard.writeText(text).then(
      () => (said.textContent = "Copied."),
      () => {
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        button.focus();
        said.textContent = "Copied.";
      },
    );
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  },

  /** Says how far loading Python is. */
  tell(text, share) {
    const place = document.getElementById("loading");
    place.hidden = !text;
    place.querySelector("progress").value = share;
    place.querySelector("span").textContent = text;
    document.getElementById("said").textContent = text || "Python is ready.";
  },

  listen() {
    const { rungs } = this.table.data;
    document.addEventListener("change", (event) => {
      const { switch: axis, control } = event.target.dataset;
      if (axis) this.flip(Number(axis));
      if (control) this.set(control, event.target.value);
    });
    document.addEventListener("click", (event) => {
      const stop = event.target.closest("[data-stop]");
      const copy = event.target.closest("[data-copy]");
      if (stop) this.go(rungs[stop.dataset.stop], `Stop ${Number(stop.dataset.stop) + 1} of ${rungs.length}`);
      if (copy) this.copy(copy);
    });
    document.getElementById("road").addEventListener("keydown", (event) => {
      const stops = [...document.querySelectorAll("#road [data-stop]")];
      const at = stops.indexOf(event.target.closest("[data-stop]"));
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: stops.length - 1 }[event.key];
      if (at < 0 || !stops[to]) return;
      event.preventDefault();
      stops[at].tabIndex = -1;
      stops[to].tabIndex = 0;
      stops[to].focus();
    });
    document.getElementById("free").addEventListener("submit", (event) => event.preventDefault());
    const buttons = {
      next: () => this.next(),
      back: () => this.back(),
      start: () => this.go(rungs[0], "ResNet-50"),
      jump: () => this.go(rungs.at(-1), "ConvNeXt-T"),
    };
    for (const [id, act] of Object.entries(buttons)) document.getElementById(id).addEventListener("click", act);
    addEventListener("hashchange", () => this.open());
    for (const element of document.querySelectorAll("[disabled]")) element.disabled = false;
    if (matchMedia("(max-width: 700px)").matches) {
      for (const group of document.querySelectorAll(".controls .group")) group.open = false;
    }
  },

  async run() {
    if (!("DecompressionStream" in window)) {
      this.problem("This browser is too old for the switches: it needs Chrome 103, Firefox 113 or Safari 16.4.");
      return;
    }
    this.table = new Table(await (await unpack("table")).json());
    this.python = new Python((text, share) => this.tell(text, share));
    this.listen();
    await this.open();
  },
};

explorer.ready = explorer.run();
