// The stand-in Emoncms of the program under test: `ossp stand-in`. The pretended plug has none; it pretends that too.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BINARY } from "./plug.mjs";

const START_MS = 10_000;

export class StandIn {
  #child;
  /** With the path of Emoncms, without a slash at the end. */
  url = "http://127.0.0.1:9/emoncms";
  writeKey = "fa8e3b689295332c560bbea31afb61d0";
  readKey = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
  userId = 4;

  /** `null` in the place of a program: none is started. */
  static async start(program = BINARY) {
    const standIn = new StandIn();
    if (program.endsWith(".mjs")) return standIn;
    standIn.#child = spawn(program, ["stand-in", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "ignore"] });
    standIn.url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the stand-in tells no address")), START_MS);
      standIn.#child.once("exit", (code) => reject(new Error(`the stand-in ended with status ${code}`)));
      createInterface({ input: standIn.#child.stdout }).once("line", (line) => {
        clearTimeout(timer);
        resolve(line.trim().replace(/\/$/, ""));
      });
    });
    return standIn;
  }

  get host() {
    return new URL(this.url).host;
  }

  async #own(path, body) {
    const answer = await fetch(new URL(path, this.url), body && { method: "POST", body: JSON.stringify(body) });
    return answer.json();
  }

  state = () => this.#own("/stand-in/state");
  /** What goes wrong from now on; `null`: nothing. */
  fault = (fault) => this.#own("/stand-in/fault", { fault });

  end() {
    this.#child?.kill("SIGKILL");
  }
}
