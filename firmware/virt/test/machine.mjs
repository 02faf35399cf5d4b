// QEMU with the plug in it, and how the test talks to it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, on, once } from "node:events";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { adminToken, setUp } from "../../../web/test/owner.mjs";

export const VIRT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const ROOT = resolve(VIRT, "../..");
/** Building and booting on a busy machine. */
const START_MS = 900_000;
/** Nothing takes that long unless it hangs. */
export const PATIENCE_MS = 60_000;
const HOST = "127.0.0.1";

async function freePort() {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** What the plug says every few seconds of its memory, in bytes, and of its samples, in pairs. */
export function memoryOf(line) {
  const form =
    /^memory: statics (\d+); heap (\d+) of (\d+), at most (\d+); stack at most (\d+) of (\d+); samples at most (\d+) waited$/;
  const [, statics, heap, heapSize, heapMost, stackMost, stackSize, waited] = (line.match(form) ?? []).map(Number);
  return Number.isInteger(statics) ? { statics, heap, heapSize, heapMost, stackMost, stackSize, waited } : null;
}

/** What it says, likewise, of its windows. */
export function measuredOf(line) {
  const [, windows, lost] = (line.match(/^measured: (\d+) windows, (\d+) pairs lost$/) ?? []).map(Number);
  return Number.isInteger(windows) ? { windows, lost } : null;
}

export class Machine extends EventEmitter {
  #child;
  #token;
  lines = [];
  port;

  /**
   * Builds the plug, boots it and waits until it says something that matches: its address, unless told otherwise.
   * `environment` is made of the port at which it is reached.
   */
  static async boot(pattern = /^http:/, environment = () => ({})) {
    const machine = new Machine();
    machine.port = await freePort();
    const env = { ...process.env, ...environment(machine.port) };
    const options = { cwd: VIRT, stdio: ["ignore", "pipe", "inherit"], env };
    const child = spawn("./run.sh", [String(machine.port)], options);
    machine.#child = child;
    // Each line that is waited for listens for its end, too.
    child.setMaxListeners(0);
    createInterface({ input: child.stdout }).on("line", (line) => {
      machine.lines.push(line);
      machine.emit("line", line);
    });
    child.on("error", (error) => machine.lines.push(`cannot run: ${error.message}`));
    try {
      await machine.says(pattern, START_MS);
    } catch (error) {
      await machine.end();
      throw error;
    }
    return machine;
  }

  get runs() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async end() {
    if (!this.runs) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }

  /** The first console line that matches, said already or to come. */
  async says(pattern, patience = PATIENCE_MS) {
    const said = this.lines.find((line) => pattern.test(line));
    return said ?? this.hears((line) => (pattern.test(line) ? line : null), patience);
  }

  /** What `take` makes of a line to come, as soon as it makes something of one. */
  async hears(take, patience = PATIENCE_MS) {
    const signal = AbortSignal.any([AbortSignal.timeout(patience), this.#ended()]);
    try {
      for await (const [line] of on(this, "line", { signal })) {
        const found = take(line);
        if (found !== null) return found;
      }
    } catch (error) {
      error.message += `; the console said:\n${this.lines.slice(-20).join("\n")}`;
      throw error;
    }
  }

  #ended() {
    const controller = new AbortController();
    const stop = () => controller.abort(new Error("QEMU ended"));
    if (this.runs) this.#child.once("exit", stop);
    else stop();
    return controller.signal;
  }

  /** Sets it up, as its owner does on its page, and asks with a token from then on. */
  async claim() {
    const ask = (path, options) => this.askPatiently(path, options);
    await setUp(ask);
    this.#token = await adminToken(ask);
  }

  /** What shows the plug that its owner asks; nothing before it has one. */
  get credentials() {
    return this.#token ? { authorization: `Bearer ${this.#token}` } : {};
  }

  /** One request on a connection of its own. */
  ask(path, { method = "GET", body, headers = {} } = {}) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const type = text === undefined ? {} : { "content-type": "application/json" };
    const all = { ...this.credentials, ...type, ...headers };
    if (text !== undefined) all["content-length"] = Buffer.byteLength(text);
    return new Promise((resolve, reject) => {
      const options = { host: HOST, port: this.port, path, method, headers: all, agent: false, timeout: PATIENCE_MS };
      const sent = request(options, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }),
        );
      });
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`${method} ${path}: no answer in time`)));
      sent.end(text);
    });
  }

  /** The same, again while all workers are busy: the plug has no queue and turns clients away. */
  async askPatiently(path, options) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        const answer = await this.ask(path, options);
        if (answer.status !== 503 || Date.now() > end) return answer;
      } catch (error) {
        if (Date.now() > end) throw error;
      }
      await sleep(200);
    }
  }

  async json(path, options) {
    const answer = await this.askPatiently(path, options);
    assert.equal(answer.status, 200, `${path}: ${answer.body}`);
    assert.match(answer.headers["content-type"], /^application\/json\b/);
    return JSON.parse(answer.body);
  }

  /** What is there at an address, as soon as it fits. */
  async until(path, fits) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.json(path);
      if (fits(found)) return found;
      assert.ok(Date.now() < end, `${path}: still ${JSON.stringify(found)}`);
      await sleep(500);
    }
  }

  /** Live readings, until the caller breaks off or the stream ends. */
  async *readings() {
    const to = { host: HOST, port: this.port, path: "/api/v1/events", headers: this.credentials };
    const options = { ...to, agent: false, timeout: PATIENCE_MS };
    const sent = request(options).end();
    sent.on("timeout", () => sent.destroy(new Error("the stream fell silent")));
    // Whoever waits for the answer hears of it there; once the caller has broken off, nobody cares.
    sent.on("error", () => {});
    try {
      const [response] = await once(sent, "response");
      assert.equal(response.statusCode, 200);
      assert.match(response.headers["content-type"], /^text\/event-stream\b/);
      let rest = "";
      for await (const part of response.setEncoding("utf8")) {
        const events = (rest + part).split("\n\n");
        rest = events.pop();
        for (const event of events) {
          const [, json] = event.match(/^event: ?reading$[^]*^data: ?(.*)$/m) ?? [];
          if (json) yield JSON.parse(json);
        }
      }
    } finally {
      sent.destroy();
    }
  }

  /** A bare connection; errors are its own affair. */
  async socket() {
    const socket = connect(this.port, HOST);
    socket.on("error", () => {});
    await Promise.race([once(socket, "connect").catch(() => {}), once(socket, "close")]);
    return socket;
  }

  /** Memory once nobody talks to the plug any more: two reports in a row that agree. */
  async quietMemory() {
    // The longest that a worker keeps a connection that nobody uses.
    await sleep(8000);
    const end = Date.now() + PATIENCE_MS;
    let before = null;
    while (Date.now() < end) {
      const memory = await this.hears(memoryOf);
      if (before?.heap === memory.heap) return memory;
      before = memory;
    }
    throw new Error("the heap does not come to rest");
  }
}
