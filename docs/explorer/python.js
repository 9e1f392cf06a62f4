// Runs the library itself under Pyodide, for designs that are not in the table. Loaded when the first of them is asked for.
"use strict";

class Python {
  /** `tell(text, share)` is called as loading goes on. */
  constructor(tell) {
    this.tell = tell;
  }

  /** Returns the answer of `docs.fragments.answer` for an address; loads Python before the first. */
  async ask(address) {
    this.loading ??= this.load();
    const answer = await this.loading;
    return JSON.parse(answer(address));
  }

  async load() {
    try {
      const start = performance.now();
      const answer = await this.start();
      this.seconds = (performance.now() - start) / 1000;
      return answer;
    } catch (error) {
      this.loading = null; // the next request tries again
      throw error;
    }
  }

  async start() {
    await this.step("Reading the Python interpreter from this folder", 0.05);
    await loadScript("python/pyodide.js");
    const wasm = await this.file("pyodide.asm.wasm", "application/wasm");
    await this.step("Reading Python's standard library", 0.35);
    const library = await this.file("python_stdlib.zip", "application/zip");
    const module = await this.file("pyodide.asm.mjs", "text/javascript");
    await loadScript("python/lock.js");
    await this.step("Starting Python", 0.55);
    // Addresses of data in memory stand in for files: what follows a # does not belong to the address of the data.
    const pyodide = (this.pyodide = await loadPyodide({
      indexURL: `${wasm}#/`,
      stdLibURL: library,
      lockFileContents: JSON.stringify(window.pyodideLock),
      createPyodideModule: (await import(module)).default,
    }));
    for (const address of [wasm, library, module]) URL.revokeObjectURL(address);
    await this.step("Importing the library", 0.9);
    await loadScript("python/ablation.zip.js");
    pyodide.unpackArchive(await (await unpack("ablation.zip")).arrayBuffer(), "zip");
    const answer = pyodide.runPython("from docs.fragments import answer; answer");
    await this.step("", 1);
    return answer;
  }

  async file(name, type) {
    await loadScript(`python/${name}.js`);
    return URL.createObjectURL(new Blob([await (await unpack(name)).arrayBuffer()], { type }));
  }

  /** Says what comes next, and lets the browser paint it. */
  async step(text, share) {
    this.tell(text, share);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
