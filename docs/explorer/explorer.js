// The page: shows one design at a time, and takes the reader from one to the next.
"use strict";

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
    this.cards(before, record);
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
    replaceAndMark(place, html, mark);
    if (place.dataset.view !== "road") return;
    const stops = [...place.querySelectorAll("[data-stop]")];
    const here = stops.find((button) => button.ariaCurrent) ?? place.querySelector(".ax-near") ?? stops[0];
    for (const button of stops) button.tabIndex = button === here ? 0 : -1;
    if (stop !== undefined) place.querySelector(`[data-stop="${stop}"]`)?.focus({ preventScroll: true });
    const frame = place.getBoundingClientRect();
    const box = here.getBoundingClientRect();
    place.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
  },

  cards(before, record) {
    replaceAndMark(document.getElementById("cards"), record.cards, Boolean(before));
    const texts = changeTexts(before, record);
    document.querySelectorAll("#cards .ax-change").forEach((place, index) => {
      place.textContent = texts[index] || "\u00a0";
    });
  },

  controls(record) {
    document.querySelectorAll("[data-switch]").forEach((input, index) => {
      input.checked = record.on[index];
      const effect = document.getElementById(`effect${index}`);
      if (effect.textContent !== record.effects[index]) effect.textContent = record.effects[index];
    });
    for (const input of document.querySelectorAll("[data-control]")) input.value = record.values[input.dataset.control];
    document.getElementById("back").disabled = !this.trail.length;
    const done = record.on.every((on) => on);
    document.getElementById("next").disabled = done;
    document.getElementById("next").textContent = done ? "All steps taken" : "Take the next step";
  },

  problem(text) {
    const place = document.getElementById("problem");
    place.textContent = text;
    place.className = text ? "problem" : "";
  },

  /** Shows a design of the table. */
  go(number, words) {
    this.show(this.table.record(number), words);
  },

  /** Shows the design that Python makes of a request, or says why there is none. */
  async ask(request, words) {
    const answer = await this.python.ask(request).catch((error) => ({ problem: `Python could not start: ${error.message}.` }));
    if (answer.problem) {
      this.controls(this.shown);
      this.problem(`That is not possible, so nothing was changed: ${answer.problem}`);
      return false;
    }
    const number = this.table.find(answer.address);
    this.show(number < 0 ? { ...answer, number } : this.table.record(number), words);
    return true;
  },

  flip(axis) {
    const name = document.querySelector(`[data-switch="${axis}"]`).labels[0].querySelector(".name").textContent;
    const words = `${name} ${this.shown.on[axis] ? "off" : "on"}`;
    if (this.shown.number >= 0) return this.go(this.table.flip(this.shown.number, axis), words);
    return this.ask({ address: this.shown.address, flip: axis }, words);
  },

  set(control, text) {
    const words = `${control.replace("_", " ")} ${text}`;
    const number = this.shown.number < 0 ? -1 : this.table.findValue(this.shown.number, control, Number(text));
    if (number >= 0) return this.go(number, words);
    return this.ask({ address: this.shown.address, control, value: text }, words);
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

  /** Opens the design of the page's address; says what is wrong with it and shows ResNet-50 if there is none. */
  async open() {
    const address = decodeURIComponent(location.hash.slice(1));
    const number = this.table.find(address);
    if (number >= 0) return this.show(this.table.record(number));
    this.show(this.table.record(0));
    const unknown = address.split("&").find((part) => !this.table.data.fields.includes(part.split("=")[0]));
    if (unknown !== undefined) {
      this.problem(
        `The address names no design: “${unknown}” is not one of ${this.table.data.fields.join(", ")}. This is ResNet-50.`,
      );
    } else {
      await this.ask({ address }, "Design of the address");
    }
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
    document.getElementById("hand").open = true;
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
