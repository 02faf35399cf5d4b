// Emoncms and what leaves the plug, in words.
import type { FieldGroup } from "./settings";

/** The settings that say where to send; a change of them begins anew somewhere. */
export const DESTINATION = ["emoncms.url", "emoncms.node", "emoncms.write_key"];

/** Said where a key is stored that the plug would not take along. */
export const KEYS_AGAIN =
  "Type the keys again: the plug takes the stored ones to no other server, and never sends them in clear by itself.";

export const EMONCMS: FieldGroup = {
  id: "emoncms",
  title: "Where to send",
  fields: [
    {
      path: "emoncms.enabled",
      kind: "switch",
      label: "Send to Emoncms",
      help: "Off: nothing leaves. The log on the plug goes on, and can be sent later.",
    },
    {
      path: "emoncms.url",
      kind: "text",
      label: "Server",
      help: "With its path, such as http://192.168.1.10/emoncms. This version of the plug cannot do https.",
    },
    {
      path: "emoncms.node",
      kind: "text",
      label: "Node",
      help: "Under this name Emoncms files what this plug sends. Empty: “ossp-” and the end of its identity.",
    },
    {
      path: "emoncms.write_key",
      kind: "secret",
      label: "Write key",
      help: "32 characters, from “My Account” in Emoncms. Not the read key. The plug never tells it; leave it empty to keep the one it has.",
    },
    {
      path: "emoncms.transport",
      kind: "choice",
      label: "Transport",
      help: "Encrypted is Emoncms’ own way: AES-128 with the write key, which itself never leaves.",
      choices: [
        ["encrypted", "encrypted (better)"],
        ["plain", "plain"],
      ],
    },
    {
      path: "emoncms.user_id",
      kind: "number",
      label: "User id",
      help: "A number: Emoncms shows it on “My Account”. Without it the server cannot tell whose key to decrypt with.",
      blank: true,
    },
  ],
};

/** When and what; folded away. */
export const EMONCMS_MORE: FieldGroup = {
  id: "rows",
  title: "What to send, and how often",
  what: "Empty names are not sent. If a value does not exist, it is left out of its row.",
  fields: [
    {
      path: "emoncms.interval_s",
      kind: "seconds",
      unit: "s",
      label: "One row each",
      help: "At least what the plug’s log has (Settings, “Log”). Emoncms’ feeds keep one value each 10 s at most.",
    },
    {
      path: "emoncms.send_every_s",
      kind: "seconds",
      unit: "s",
      label: "Send each",
      help: "Longer: fewer requests with more rows in each.",
    },
    ...(
      [
        ["power", "Power, mean (W)"],
        ["energy", "Energy imported (Wh)", "The counter. Emoncms keeps it exactly up to 16.7 MWh; then use kWh."],
        ["energy_kwh", "Energy imported (kWh)"],
        ["energy_export", "Energy exported (Wh)"],
        ["voltage", "Voltage (V)"],
        ["current", "Current (A)"],
        ["power_factor", "Power factor"],
        ["frequency", "Frequency (Hz)"],
        ["power_min", "Power, least (W)"],
        ["power_max", "Power, most (W)"],
        ["relay", "Socket (1 on, 0 off)"],
      ] as [string, string, string?][]
    ).map(([name, label, help]) => ({
      path: `emoncms.input_${name}`,
      kind: "text" as const,
      label,
      ...(help && { help }),
    })),
    {
      path: "emoncms.read_key",
      kind: "secret",
      label: "Read key",
      help: "With plain only: after a pause the plug asks the server for its newest row. It asks with this key where it has it, else with the write key.",
    },
  ],
};

export const PLAIN_WARNING =
  "Plain: everybody between the plug and the server (in your Wi-Fi, at your provider) can read the numbers, which tell when somebody is at home, and the write key. With the key they can send false numbers in your name, as long as it is valid. Use it in a network that you trust only.";

const STATES: Record<string, [string, "good" | "note" | "warn" | "danger"]> = {
  off: ["Off: nothing is sent.", "note"],
  waiting_for_clock: ["Waits until the plug knows the time: rows without a time would land anywhere.", "warn"],
  waiting_for_network: ["Waits for the network.", "warn"],
  up_to_date: ["Up to date: the server has all that was measured.", "good"],
  sending: ["Sending.", "good"],
  catching_up: ["Catching up: the server gets what it missed, oldest first.", "note"],
  backing_off: ["The server could not take it; the plug tries again by itself. Nothing is lost meanwhile.", "warn"],
  stopped: ["Stopped: it takes somebody to mend this. The rows stay on the plug.", "danger"],
};

const plain = (name: string): string => name.replaceAll("_", " ");

/** What the sending is at, and how bad that is. */
export const uplinkState = (state: string): [string, string] => STATES[state] ?? [`${plain(state)}.`, "note"];

const LOOK_AT_SERVER = "Look at the server: is its disk full, has its database stopped? The rows wait meanwhile.";
const LOOK_BETWEEN = "Look at the proxy or firewall in front of Emoncms.";
/** Where the plug's own sentence does not say it. */
const ADVICE: Record<string, string> = {
  unreachable: "Is the server on, is the port right, and is the plug in a network that reaches it?",
  no_address: "Look for a slip in the name, or type the server's address in its place.",
  no_answer: LOOK_AT_SERVER,
  server_fault: LOOK_AT_SERVER,
  broken_off: LOOK_AT_SERVER,
  unexpected_answer: "Open the address in a browser: is it Emoncms, or the sign-in page of a network in between?",
  forbidden: LOOK_BETWEEN,
  stripped: LOOK_BETWEEN,
  redirect: "An address with https does not work with this version of the plug.",
};

/** What to do about an answer of the server; empty: nothing, or the plug has said it. */
export const adviceFor = (code: string): string => ADVICE[code] ?? "";

/** Why the plug has connected. */
const PURPOSES: Record<string, string> = {
  emoncms: "Emoncms",
  emoncms_test: "Emoncms, a test by hand",
  time_server: "time",
  dns: "name look-up",
  mdns: "its name on this network",
};
export const purposeText = (name: string): string => PURPOSES[name] ?? plain(name);

/** Where a setting is on these pages. */
export const settingPlace = (path: string): string =>
  path.startsWith("emoncms") ? "#/report" : path.startsWith("time") ? "#/settings/time" : "#/settings";
