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
  }

  read(stored, number) {
    const { combinations } = this.data;
    let which = 0;
    if (number >= combinations) {
      which = stored.extra[number - combinations];
    } else {
      // The bits that count, moved together.
      let [index, place] = [0, 0];
      for (let bit = 0; 1 << bit < combinations; bit++) {
        if ((stored.mask >> bit) & 1) index |= ((number >> bit) & 1) << place++;
      }
      which = stored.which[index];
    }
    const value = stored.values[which];
    if (!stored.pieces) return value;
    let text = "";
    for (let i = 0; i < value.length; i++) text += stored.pieces[value.charCodeAt(i) - this.data.firstCharacter];
    return text;
  }

  record(number) {
    const { numbers, values, views, effects } = this.data;
    return {
      number,
      address: this.address(number),
      numbers: this.read(numbers, number),
      values: this.read(values, number),
      on: effects.map((_, bit) => this.isOn(number, bit)),
      views: Object.fromEntries(Object.entries(views).map(([name, view]) => [name, this.read(view, number)])),
      effects: effects.map((effect) => this.read(effect, number)),
    };
  }

  isOn(number, bit) {
    const part = this.data.parts.find(([other]) => other === bit)[1];
    return this.address(number).split("&").includes(part);
  }

  address(number) {
    const { combinations, extra, parts } = this.data;
    if (number >= combinations) return extra[number - combinations];
    return parts.flatMap(([bit, part]) => ((number >> bit) & 1 ? [part] : [])).join("&");
  }

  /** Returns the number of the design at an address, or -1 if it is not in the table. */
  find(address) {
    const { combinations, extra, parts } = this.data;
    if (extra.includes(address)) return combinations + extra.indexOf(address);
    let number = 0;
    for (const text of address.split("&").filter((part) => part)) {
      const found = parts.find(([, part]) => part === text);
      if (!found) return -1;
      number |= 1 << found[0];
    }
    return number;
  }

  /** Returns the address of a design with another value of one field; the default is left out, as in every address. */
  addressWith(address, field, value) {
    const given = new Map(address.split("&").filter((part) => part).map((part) => part.split("=")));
    given.set(field, value);
    if (value === this.data.defaults[field]) given.delete(field);
    return this.data.fields
      .filter((name) => given.has(name))
      .map((name) => `${name}=${given.get(name)}`)
      .join("&");
  }

  /** Returns the address of a design after a switch is flipped. */
  flipped(record, bit) {
    const [field, value] = this.data.parts.find(([other]) => other === bit)[1].split("=");
    return this.addressWith(record.address, field, record.on[bit] ? this.data.defaults[field] : value);
  }
}
