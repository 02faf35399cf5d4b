// The table of time zones, fetched when somebody looks at one.
import { readZones, type Zones } from "./zones";

let known: Promise<Zones> | undefined;

async function fetchZones(): Promise<Zones> {
  const response = await fetch(ZONES_URL);
  if (!response.ok) throw new Error();
  return readZones((await response.json()) as Record<string, string>);
}

export function zones(): Promise<Zones> {
  known ??= fetchZones();
  known.catch(() => {
    known = undefined; // It may be asked for again.
  });
  return known;
}

/** The zone of this browser. */
export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
