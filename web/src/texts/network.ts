// The network in words: how well it is heard, what protects it, how a trial goes, and the settings of it.
import type { FoundNetwork, Json, Wifi, WifiTest } from "../api/types";
import { duration } from "../lib/format";
import { type Group, valueAt } from "../lib/patch";
import type { FieldGroup } from "./settings";

/** Of four bars so many, and a word. */
export function signal(dbm: number): [number, string] {
  return dbm >= -55 ? [4, "very good"] : dbm >= -67 ? [3, "good"] : dbm >= -77 ? [2, "weak"] : [1, "very weak"];
}

const SECURITY: Record<string, string> = {
  open: "open: no password",
  wpa2: "WPA2",
  wpa3: "only WPA3, which this plug cannot join: allow WPA2 on it",
  outdated: "WEP or the first WPA, which are broken: set it to WPA2",
  enterprise: "with user names (802.1X), which this plug cannot join",
};

/** What is to be known of a network before it is chosen. */
export function aboutNetwork({ signal_dbm: dbm, security, joinable }: FoundNetwork): string {
  const words = SECURITY[security] ?? `${security}${joinable ? "" : ", which this plug cannot join"}`;
  return `${signal(dbm)[1]} signal · ${words}`;
}

export const STEPS: [WifiTest["step"], string][] = [
  ["searching", "Finding the network"],
  ["joining", "Joining it"],
  ["address", "Getting an address"],
];

const elsewhere = ({ mdns }: Wifi): string => `look in the new network${mdns ? `, at ${mdns}` : ""}`;

/** What to expect while it tries a network. */
export function trialWarning(wifi: Wifi): string {
  return wifi.state === "joined" && !wifi.access_point?.open
    ? `While it tries, the plug leaves “${wifi.ssid}”: ${elsewhere(wifi)}, or here once it is back. It comes back if nobody keeps the new network.`
    : "While it tries, your phone may drop from its access point for some seconds, because that follows the network's channel: stay on it, or join it again. The result waits here.";
}

/** What to do while it does not answer; `own`: its access point, where that is about to get another name. */
export function silence(wifi: Wifi | null, own = wifi?.access_point?.ssid): string {
  const gone = "The plug does not answer just now.";
  return wifi?.access_point?.open === false
    ? `${gone} If it tries a network, ${elsewhere(wifi)}, or wait: this goes on by itself.`
    : `${gone} If your phone left its access point${own ? ` “${own}”` : ""}, join it again; this goes on by itself.`;
}

/** How the plug is connected, in a sentence and a mood. */
export function linkText(wifi: Wifi): [string, string] {
  const { state, ssid, retry_in_s: retry, last_error_message: why } = wifi;
  if (!wifi.available) return ["This plug has no radio: whatever it runs on connects it.", "note"];
  switch (state) {
    case "joined":
      return [`Joined “${ssid}”.`, "good"];
    case "joining":
      return [`Joining ${ssid ? `“${ssid}”` : "a network"}…`, "note"];
    case "waiting": {
      const next = retry ? ` It tries again in ${duration(retry)}.` : "";
      return [`${why ?? "It is in no network."}${next}`, "warn"];
    }
    default:
      return ["It knows no network yet.", "warn"];
  }
}

export const NAME: FieldGroup = {
  id: "name",
  title: "Its name in the network",
  fields: [
    {
      path: "device.host",
      kind: "text",
      label: "Host name",
      help: "Letters, digits and hyphens. The router shows it, and with “.local” behind it is the plug's address. Empty: ossp- and the end of its identity.",
    },
    {
      path: "device.mdns",
      kind: "switch",
      label: "Can be found by name (mDNS)",
      help: "It answers in its own network to its name with “.local”, and to programs that look for plugs. Off: only who knows its address finds it.",
    },
  ],
};

export const ACCESS_POINT: FieldGroup = {
  id: "access-point",
  title: "Its own access point",
  what: "Taken some seconds after it is stored; whoever is on it joins anew.",
  fields: [
    {
      path: "wifi.access_point",
      kind: "choice",
      label: "It opens",
      help: "A long press of the button opens it in any case.",
      choices: [
        ["fallback", "when it cannot join a network"],
        ["button", "by the button only"],
      ],
    },
    {
      path: "wifi.access_point_after_loss_s",
      kind: "seconds",
      unit: "s",
      label: "After a network was lost",
      help: "So long it only tries to join again before its access point opens.",
    },
    {
      path: "wifi.access_point_linger_s",
      kind: "seconds",
      unit: "s",
      label: "Once it has joined",
      help: "So long the access point stays open, for whoever is on it.",
    },
    {
      path: "wifi.access_point_ssid",
      kind: "text",
      label: "Network",
      help: "Its name. Empty: OSSP- and the end of the plug's identity.",
    },
    {
      path: "wifi.access_point_password",
      kind: "secret",
      label: "Password",
      help: "8 to 63 characters. It has the owner's from the set-up, unless another was given.",
    },
  ],
};

const NONE: Group = { ssid: "", password: null, hidden: false, address: null };

/** The networks in the order in which they are tried. */
export function networksOf(settings: Group): Group[] {
  const more = valueAt(settings, "wifi.more");
  const names = Object.keys(NONE);
  const first = Object.fromEntries(names.map((name) => [name, valueAt(settings, `wifi.${name}`) ?? null]));
  return [first, ...(Array.isArray(more) ? (more as Group[]) : [])].filter(({ ssid }) => ssid);
}

/** What makes the plug know these, in this order; `"set"` stays what it is for a network of that name. */
export const patchOfNetworks = ([first = NONE, ...more]: Group[]): Group => ({
  wifi: { ...first, more: more as Json[] },
});
