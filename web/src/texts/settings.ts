// Every setting in words: what it is called, what it does, its unit, and what "none" means. Ranges and defaults are the
// plug's; it says so when it refuses one.
import type { Field } from "../lib/form";
import { TIME_SOURCES } from "./access";

export interface FieldGroup {
  id: string;
  title: string;
  what?: string;
  fields: Field[];
}

export const DEVICE: FieldGroup = {
  id: "device",
  title: "Device",
  fields: [
    {
      path: "device.name",
      kind: "text",
      label: "Name",
      help: "What people call this plug. Empty: “ossp-” and the end of its identity.",
    },
    {
      path: "device.button_locked",
      kind: "switch",
      label: "Button locked",
      help: "A short press does nothing, against children and by-passers. Long presses still open the access point or reset.",
    },
    {
      path: "device.led_off",
      kind: "switch",
      label: "Light off",
      help: "The light stays dark but for alarms and “blink”.",
    },
  ],
};

export const RELAY: FieldGroup = {
  id: "relay",
  title: "Relay",
  fields: [
    {
      path: "relay.power_on",
      kind: "choice",
      label: "After power comes back",
      help: "What the socket does after a start. A lock-out by protection stays one in any case.",
      choices: [
        ["last", "as before"],
        ["off", "stay off"],
        ["on", "switch on"],
      ],
    },
    {
      path: "relay.start_delay_s",
      kind: "seconds",
      unit: "s",
      label: "Delay after the start",
      help: "So long after the start it waits before it switches on.",
    },
    {
      path: "relay.start_delay_random_s",
      kind: "seconds",
      unit: "s",
      label: "Random part of that delay",
      help: "Up to so much more, by chance: a street full of plugs should not switch on all at once after a power cut.",
    },
    {
      path: "relay.manual_until",
      kind: "choice",
      label: "Switching by hand holds",
      help: "By button, web page or API, without a time given.",
      choices: [
        ["schedule", "until the schedule's next time"],
        ["released", "until somebody releases it"],
      ],
    },
    {
      path: "relay.inching_s",
      kind: "seconds",
      unit: "s",
      label: "Inching",
      help: "Each switching on by hand lasts so long, like a staircase light.",
      off: "Off",
    },
    {
      path: "relay.idle_off_below_w",
      kind: "number",
      unit: "W",
      label: "Off when idle: below",
      help: "A load that takes less is idle, and is switched off after the time below.",
      off: "Off",
    },
    {
      path: "relay.idle_off_after_s",
      kind: "seconds",
      unit: "s",
      label: "Off when idle: after",
      help: "How long it must be idle.",
    },
    {
      path: "relay.minimum_off_s",
      kind: "seconds",
      unit: "s",
      label: "Minimum time off",
      help: "Once off, it stays off for so long: the compressor of a fridge must not start again at once.",
    },
    {
      path: "relay.minimum_on_s",
      kind: "seconds",
      unit: "s",
      label: "Minimum time from on to on",
      help: "It is not switched on again sooner than this after it went on. Switching off by you or by protection never waits.",
    },
    {
      path: "relay.switchings_a_minute",
      kind: "number",
      unit: "a minute",
      label: "Most switchings",
      help: "Switching on waits beyond that, to spare the contact and the load. 0: no limit.",
    },
    {
      path: "relay.hold_on_restart",
      kind: "switch",
      label: "Hold the relay over a restart",
      help: "For planned restarts (an update, the button below) the socket stays as it is, where the chip can do that. Meanwhile, for at most 5 s, nothing protects the load. After any other restart the relay opens first.",
    },
  ],
};

export const LOG: FieldGroup = {
  id: "log",
  title: "Log",
  what: "What the plug keeps of its measurements, for the history and for reports.",
  fields: [
    {
      path: "history.interval_s",
      kind: "seconds",
      unit: "s",
      label: "One row each",
      help: "1 to 3600 s. At 10 s the plug keeps three days, and behind them three weeks of rows of 5 minutes. Shorter rows reach back less far and wear the flash more.",
    },
  ],
};

export const TIME: FieldGroup = {
  id: "time",
  title: "Time and place",
  what: "The schedule and the energy of a day go by local time; sunrise and sunset by the position.",
  fields: [
    {
      path: "time.zone",
      kind: "text",
      label: "Time zone",
      help: "By its IANA name, such as Europe/Berlin.",
    },
    {
      path: "time.posix",
      kind: "text",
      label: "Its rules",
      help: "As a POSIX TZ string. Filled in from the name; only for zones that the list does not have it needs to be typed.",
    },
    {
      path: "time.source",
      kind: "choice",
      label: "Who tells the time",
      choices: TIME_SOURCES.map(([value, name]) => [value, name]),
    },
    {
      path: "time.ntp_servers",
      kind: "text",
      label: "Time servers",
      help: "For “Time servers on the Internet”: up to three names or addresses, with spaces between.",
    },
    {
      path: "time.latitude_deg",
      kind: "number",
      unit: "°",
      label: "Latitude",
      help: "North is positive. Two decimals are enough: they are a kilometre.",
      off: "Not told",
    },
    {
      path: "time.longitude_deg",
      kind: "number",
      unit: "°",
      label: "Longitude",
      help: "East is positive.",
      off: "Not told",
    },
  ],
};

export const PROTECTIONS: FieldGroup[] = [
  {
    id: "over-current",
    title: "Over-current",
    what: "Two limits: one that opens the relay within half a cycle of the mains, and one that, like a circuit breaker, lets a small excess pass for a while.",
    fields: [
      {
        path: "protection.current_limit_a",
        kind: "number",
        unit: "A",
        label: "Limit, at once",
        help: "The effective value (RMS) of any half cycle at or above it opens the relay.",
        off: "What the board can carry",
      },
      {
        path: "protection.inverse_time",
        kind: "switch",
        label: "Watch long overloads",
        help: "A model of the heat in the contacts and wires: twice the excess, a quarter of the time.",
      },
      {
        path: "protection.rated_current_a",
        kind: "number",
        unit: "A",
        label: "Rated current",
        help: "What may flow for ever. More trips after a time that falls with the square of the current.",
        off: "What the board can carry",
      },
    ],
  },
  {
    id: "over-power",
    title: "Over-power",
    fields: [
      {
        path: "protection.power_limit_w",
        kind: "number",
        unit: "W",
        label: "Limit",
        help: "In active power.",
        off: "Off",
      },
      {
        path: "protection.power_hold_s",
        kind: "seconds",
        unit: "s",
        label: "For longer than",
        help: "So long it must be above the limit without a break.",
      },
    ],
  },
  {
    id: "voltage",
    title: "Over- and under-voltage",
    fields: [
      { path: "protection.voltage_max_v", kind: "number", unit: "V", label: "Not above", off: "Off" },
      {
        path: "protection.voltage_min_v",
        kind: "number",
        unit: "V",
        label: "Not below",
        help: "For motors and compressors, which suffer from a low voltage.",
        off: "Off",
      },
      {
        path: "protection.voltage_hold_s",
        kind: "seconds",
        unit: "s",
        label: "For longer than",
      },
      {
        path: "protection.voltage_hysteresis_v",
        kind: "number",
        unit: "V",
        label: "Good again when inside by",
        help: "So far back inside it must come, or a voltage right at a limit would switch to and fro.",
      },
    ],
  },
  {
    id: "energy-budget",
    title: "Energy budget",
    fields: [
      {
        path: "protection.energy_budget_wh",
        kind: "number",
        unit: "Wh",
        label: "In a day",
        help: "Imported since local midnight; without a trusted clock in 24 hours since the start.",
        off: "Off",
      },
    ],
  },
  {
    id: "plug",
    title: "The plug itself",
    fields: [
      {
        path: "protection.chip_temperature_max_c",
        kind: "number",
        unit: "°C",
        label: "Chip not hotter than",
        help: "Where the chip can tell. It is warmer than the air around the plug.",
        off: "Off",
      },
      {
        path: "protection.sensor_fault",
        kind: "switch",
        label: "Open on a sensor fault",
        help: "No samples, or a converter that stands still: assume the worst.",
      },
      {
        path: "protection.clipped",
        kind: "switch",
        label: "A clipped current counts as too much",
        help: "At the end of the converter's range nobody knows how much more it was. Off: it counts as what it shows.",
      },
    ],
  },
  {
    id: "retries",
    title: "After a trip",
    what: "The relay stays open until somebody re-arms it, unless retries are set.",
    fields: [
      {
        path: "protection.retries",
        kind: "number",
        unit: "times",
        label: "Try again by itself",
        help: "0: never. Only for loads where switching on again is harmless.",
      },
      { path: "protection.retry_pause_s", kind: "seconds", unit: "s", label: "After" },
      {
        path: "protection.retry_back_off",
        kind: "number",
        unit: "×",
        label: "Each pause longer by",
        help: "2: each pause is twice the one before.",
      },
    ],
  },
];

const channel = (name: "voltage" | "current", title: string, unit: string): Field[] => [
  { path: `calibration.${name}.gain`, kind: "number", unit: `${unit} a count`, label: `${title}: gain` },
  {
    path: `calibration.${name}.gain_uncertainty_pct`,
    kind: "number",
    unit: "%",
    label: `${title}: uncertainty of the gain`,
    help: "Standard uncertainty (k = 1).",
  },
  {
    path: `calibration.${name}.zero_raw`,
    kind: "number",
    unit: "counts",
    label: `${title}: zero`,
    help: "The converter's code that stands for nothing.",
  },
  {
    path: `calibration.${name}.zero_uncertainty_raw`,
    kind: "number",
    unit: "counts",
    label: `${title}: uncertainty of the zero`,
  },
];

export const CALIBRATION: FieldGroup = {
  id: "calibration",
  title: "Calibration",
  what: "How counts of the converter become volts and amperes. Each change gets the date of today and the next version, and every reading says with which it was made.",
  fields: [
    {
      path: "calibration.reference",
      kind: "text",
      label: "Against what",
      help: "The instrument and its serial number, or where the numbers come from.",
    },
    ...channel("voltage", "Voltage", "V"),
    ...channel("current", "Current", "A"),
    {
      path: "calibration.phase_deg",
      kind: "number",
      unit: "°",
      label: "Phase",
      help: "By how much the current channel is late at the fundamental.",
    },
    { path: "calibration.phase_uncertainty_deg", kind: "number", unit: "°", label: "Uncertainty of the phase" },
    {
      path: "calibration.current_noise_floor_a",
      kind: "number",
      unit: "A",
      label: "Noise of the current channel",
      help: "Its effective value with nothing flowing. Below it, the plug does not give what would be a property of the noise.",
      off: "Not measured",
    },
  ],
};

/** What the protection is not; said on its page and on the one that teaches. */
export const NOT_A_FUSE: string[] = [
  "It is software on a small chip that opens a relay. It is not a fuse, not a circuit breaker and not a residual-current device, and it replaces none of them.",
  "A relay cannot break a short circuit that its contact was not made for; the contact can weld, and then nothing in this plug can switch off.",
  "It does not see a current to earth, so it does not protect people.",
  "While the plug starts, and while it holds the relay over a planned restart, nothing watches.",
  "It may trip on harmless things: the inrush of a large motor or transformer looks like an overload.",
];
