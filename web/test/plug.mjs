// Starts and ends the program under test for the browser test.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PASSWORD } from "./owner.mjs";

const WEB = resolve(dirname(fileURLToPath(import.meta.url)), "..");
export const BINARY = resolve(WEB, process.env.OSSP_BIN ?? "../target/release/ossp");
const START_MS = 20_000;

/** A running plug with a state folder of its own. `url` ends with a slash. */
export class Plug {
  #child;
  #state = mkdtempSync(join(tmpdir(), "ossp-browser-"));
  #errors = [];
  #more;
  url;

  /** With an owner, unless `fresh`: then nobody has set it up yet. */
  static async start({ fresh = false, more = ["--source", "sim:kettle"] } = {}) {
    const plug = new Plug();
    plug.#more = fresh ? more : ["--password", PASSWORD, ...more];
    await plug.launch("127.0.0.1:0");
    return plug;
  }

  async launch(listen) {
    const words = ["run", "--listen", listen, "--state", this.#state, ...this.#more];
    const [command, ...first] = BINARY.endsWith(".mjs") ? [process.execPath, BINARY] : [BINARY];
    this.#child = spawn(command, [...first, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stderr.on("data", (data) => this.#errors.push(data));
    this.url = await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${BINARY} ${words.join(" ")}: ${why}\n${this.errors}`));
      const timer = setTimeout(() => fail("no address on standard output in time"), START_MS);
      const settled = (action) => (value) => {
        clearTimeout(timer);
        action(value);
      };
      this.#child.once(
        "error",
        settled((error) => fail(error.message)),
      );
      this.#child.once(
        "exit",
        settled((code) => fail(`ended with status ${code}`)),
      );
      createInterface({ input: this.#child.stdout }).once(
        "line",
        settled((line) => {
          const found = line.match(/https?:\/\/[^\s/]+/);
          if (found) resolve(`${found[0]}/`);
          else fail(`its first line names no address: ${line}`);
        }),
      );
    });
  }

  get errors() {
    return Buffer.concat(this.#errors).toString();
  }

  /** Ends it without giving it a chance to say goodbye. */
  async kill() {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** The same plug at the same address. */
  async restart() {
    await this.launch(new URL(this.url).host);
  }

  async end() {
    await this.kill();
    rmSync(this.#state, { recursive: true, force: true });
  }
}
