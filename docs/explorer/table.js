// Reads the table of designs that `docs.table` wrote. Nothing is computed here but the place where an answer is stored.
"use strict";

/** Loads a script that lies beside this page; a page from disk may not fetch files. */
function loadScript(address) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = resolve;
    element.onerror = () => reject(new Error(`the file ${address} is missing beside this page`));
    document.head.append(element);
  });
}

/** Returns the inflated data of a loaded script as a response, and forgets the packed text. */
async function unpack(name) {
  const { body } = await fetch(`data:application/octet-stream;base64,${window.packed[name]}`);
  delete window.packed[name];
  return new Response(body.pipeThrough(new DecompressionStream("deflate")));
}

/** The designs of the table by number; see `docs.table` for what a number means. */
class Table {
  constructor(data) {
    this.data = data;
    this.size = 1;
    this.places = [];
    this.lengths = data.lengths;
    for (const axis of data.order) {
      this.places[axis] = this.size;
      this.size *= this.lengths[axis];
    }
  }

  state(number, axis) {
    return Math.floor(number / this.places[axis]) % this.lengths[axis];
  }

  withState(number, axis, state) {
    return number + (state - this.state(number, axis)) * this.places[axis];
  }

  /** Switches are on in state 1; a kernel that is neither on nor off turns on. */
  flip(number, axis) {
    return this.withState(number, axis, this.state(number, axis) === 1 ? 0 : 1);
  }

  /** Returns the first step of the paper that is not taken yet, or -1. */
  nextStep(number) {
    return this.lengths.findIndex((_, axis) => this.state(number, axis) !== 1);
  }

  read(stored, number) {
    let [index, place] = [0, 1];
    for (const axis of stored.axes) {
      index += this.state(number, axis) * place;
      place *= this.lengths[axis];
    }
    return stored.values[stored.which[index]];
  }

  record(number) {
    const { numbers, cards, values, views, effects } = this.data;
    return {
      number,
      address: this.address(number),
      numbers: this.read(numbers, number),
      cards: this.read(cards, number),
      values: JSON.parse(this.read(values, number)),
      on: this.lengths.map((_, axis) => this.state(number, axis) === 1),
      views: Object.fromEntries(Object.entries(views).map(([name, view]) => [name, this.read(view, number)])),
      effects: effects.map((effect) => this.read(effect, number)),
    };
  }

  address(number) {
    return this.data.parts
      .map(([axis, texts]) => texts[this.state(number, axis)])
      .filter((text) => text)
      .join("&");
  }

  /** Returns the number of the design at an address, or -1 if it is not in the table. */
  find(address) {
    let number = 0;
    for (const part of address.split("&").filter((text) => text)) {
      const found = this.data.parts.find(([, texts]) => texts.includes(part));
      if (!found) return -1;
      number = this.withState(number, found[0], found[1].indexOf(part));
    }
    return number;
  }

  /** Returns the number of the design that differs from another in one free control, or -1 if it is not in the table. */
  findValue(number, control, value) {
    const wanted = JSON.stringify({ ...JSON.parse(this.read(this.data.values, number)), [control]: value });
    for (let other = 0; other < this.data.values.which.length; other++) {
      let [candidate, rest] = [number, other];
      for (const axis of this.data.values.axes) {
        candidate = this.withState(candidate, axis, rest % this.lengths[axis]);
        rest = Math.floor(rest / this.lengths[axis]);
      }
      if (this.read(this.data.values, candidate) === wanted) return candidate;
    }
    return -1;
  }
}
