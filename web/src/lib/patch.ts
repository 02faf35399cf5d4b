// What differs between two settings, as a JSON merge patch (RFC 7396): only what was changed is sent.
import type { Json } from "../api/types";

export type Group = { [name: string]: Json };

const isGroup = (value: Json | undefined): value is Group =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What lies at a path with dots; `undefined`: nothing does. */
export function valueAt(settings: Json | undefined, path: string): Json | undefined {
  let value = settings;
  for (const name of path.split(".")) {
    if (!isGroup(value)) return undefined;
    value = value[name];
  }
  return value;
}

/** Whether two values mean the same; the order of names does not matter, that of a list does. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, n) => same(one, b[n]));
  if (!isGroup(a) || !isGroup(b)) return a === b;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((name) => same(a[name], b[name]));
}

/** Writes `value` at a path with dots into `patch`. */
export function put(patch: Group, path: string, value: Json): void {
  const names = path.split(".");
  const last = names.pop() as string;
  let group = patch;
  for (const name of names) {
    const inner = group[name];
    group = isGroup(inner) ? inner : (group[name] = {});
  }
  group[last] = value;
}

/** The smallest patch that gives each path its value, starting from `base`. */
export function patchOf(base: Group, values: Iterable<[string, Json]>): Group {
  const patch: Group = {};
  for (const [path, value] of values) if (!same(valueAt(base, path), value)) put(patch, path, value);
  return patch;
}

export interface Difference {
  path: string;
  from: Json | undefined;
  to: Json;
}

/** What `wanted` names and `base` has otherwise, down to single values and whole lists. */
export function differences(base: Json | undefined, wanted: Group, prefix = ""): Difference[] {
  return Object.entries(wanted).flatMap(([name, to]) => {
    const path = prefix + name;
    const from = isGroup(base) ? base[name] : undefined;
    if (isGroup(to)) return differences(from, to, `${path}.`);
    return same(from, to) ? [] : [{ path, from, to }];
  });
}

/** Settings for a file: without secrets. */
export function withoutSecrets(settings: Group): Group {
  const copy = structuredClone(settings);
  // The plug says "set" instead of the password; without the word in the file, an import leaves the password alone.
  const secrets = { wifi: ["password", "access_point_password"], emoncms: ["write_key", "read_key"] };
  for (const [group, names] of Object.entries(secrets)) {
    const own = copy[group];
    for (const name of names) if (isGroup(own) && own[name] !== null) delete own[name];
  }
  // A network without its password would be an open one, so the others are not for another plug.
  if (isGroup(copy.wifi)) delete copy.wifi.more;
  return copy;
}

/** A field's path as the page writes it: `schedule.entries[2].at` becomes `schedule.entries.2.at`. */
export const plainPath = (path: string): string => path.replace(/\[(\d+)\]/g, ".$1").replace(/^\./, "");
