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

/** Other names that browsers give for zones in the table. */
const FORMERLY: Record<string, string> = {
  "UTC": "Etc/UTC",
  "GMT": "Etc/UTC",
  "Etc/GMT": "Etc/UTC",
  "Asia/Calcutta": "Asia/Kolkata",
  "Asia/Katmandu": "Asia/Kathmandu",
  "Asia/Saigon": "Asia/Ho_Chi_Minh",
  "Asia/Rangoon": "Asia/Yangon",
  "Europe/Kiev": "Europe/Kyiv",
  "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
  "Atlantic/Faeroe": "Atlantic/Faroe",
};

/** The zone in the table that `name` means. */
export function findZone(zones: Zones, name: string): { zone: string; posix: string } | null {
  for (const zone of [name, FORMERLY[name] ?? ""]) {
    const posix = zones.get(zone);
    if (posix !== undefined) return { zone, posix };
  }
  return null;
}

/** The browser's zone, where the plug's is another one. */
export function proposeZone(
  zones: Zones,
  browser: string,
  plug: { zone: string; posix: string },
): { zone: string; posix: string } | null {
  const found = findZone(zones, browser);
  return found && (found.zone !== plug.zone || found.posix !== plug.posix) ? found : null;
}
