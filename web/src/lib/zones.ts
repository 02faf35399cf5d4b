// Time zones: names for people, POSIX rules for the plug.

/** Rules by IANA name. */
export type Zones = Map<string, string>;

/** From the table as it is stored: names set apart by spaces under the rules that they share. */
export function readZones(table: Record<string, string>): Zones {
  const pairs = Object.entries(table).flatMap(([posix, names]) =>
    names.split(" ").map((name): [string, string] => [name, posix]),
  );
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The zone that `name` means, also by a former name. */
export function findZone(zones: Zones, name: string): { zone: string; posix: string } | null {
  const posix = zones.get(name);
  return posix === undefined ? null : { zone: name, posix };
}

/** The browser's zone, where clocks there do not go as the plug's rules say. */
export function proposeZone(zones: Zones, browser: string, posix: string): { zone: string; posix: string } | null {
  const found = findZone(zones, browser);
  return found && found.posix !== posix ? found : null;
}
