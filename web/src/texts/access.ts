// Who may do what, and where the time comes from, in words.
import type { FieldGroup } from "./settings";

/** Value, name, and what goes out. */
export const TIME_SOURCES: [string, string, string][] = [
  [
    "none",
    "Nobody",
    "Nothing goes out. The plug does not know the time, so the schedule waits, days are not told apart, and nothing can be reported.",
  ],
  [
    "browser",
    "This page, while it is open",
    "Nothing leaves your network: after signing in, the browser tells the plug its own time. After a restart the plug waits for the next visit.",
  ],
  [
    "dhcp",
    "A time server that your router names",
    "The plug asks the server that your router names; often that is the router.",
  ],
  [
    "ntp",
    "Time servers on the Internet",
    "The plug asks servers of pool.ntp.org, or others that you name: those who run them see your address, and that something there wants the time.",
  ],
  [
    "server",
    "The Emoncms server",
    "Each of its answers says what time it is there, to about a second. Nothing goes out but what is sent to it anyway.",
  ],
];

/** What a source means, and what goes out for it. */
export const timeSource = (value: string): string => TIME_SOURCES.find(([source]) => source === value)?.[2] ?? "";

const ORIGINS: Record<string, string> = {
  browser: "a browser",
  dhcp: "the time server that the router names",
  ntp: "a time server",
  server: "the Emoncms server",
  platform: "the computer that it runs on",
};
/** Who told the time last. */
export const timeOrigin = (name: string): string => ORIGINS[name] ?? name.replaceAll("_", " ");

export const ACCESS: FieldGroup = {
  id: "who",
  title: "Who may do what",
  what: "Whoever has the owner's password may do everything. Programs have tokens of their own.",
  fields: [
    {
      path: "access.reading",
      kind: "choice",
      label: "Who may read",
      help: "Open: everybody in your network sees the readings, the relay with its log and the energy without a password, which tells a lot of who lives there. Settings and changes need the password in any case.",
      choices: [
        ["closed", "only who is signed in"],
        ["open", "everybody in the network"],
      ],
    },
    {
      path: "access.hosts",
      kind: "list",
      label: "Further host names",
      help: "Under which it may be called besides its address and its own name, for a proxy. At most four, with spaces between.",
    },
  ],
};

/** A password has at least so many characters, unless the plug says otherwise. */
export const LEAST = 10;

/** By length alone: everything else that a page can tell of a password misleads. */
export function strength(password: string, least = LEAST): string {
  const more = least - [...password].length;
  if (password === "") return `At least ${least} characters; six random words are good.`;
  if (more > 0) return `${more} more ${more === 1 ? "character" : "characters"} needed.`;
  return more > -4 ? "Long enough. Longer is better." : more > -10 ? "A good length." : "A very good length.";
}
