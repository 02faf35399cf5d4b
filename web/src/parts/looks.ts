// How a quantity is drawn over time: its colour, its unit, and the ends of its scale.
import { roundUp } from "../lib/format";
import type { Colour } from "./chart";

export interface Look {
  label: string;
  unit: string;
  colour: Colour;
  /** Lower and upper end of the scale for these extremes. */
  range: (least: number, most: number) => [number, number];
}

export const fromZero =
  (atLeast: number) =>
  (least: number, most: number): [number, number] => [
    least < 0 ? -roundUp(-least * 1.05) : 0,
    most > 0 ? Math.max(atLeast, roundUp(most * 1.05)) : atLeast,
  ];
export const around =
  (margin: number) =>
  (least: number, most: number): [number, number] => {
    const step = margin / 2;
    return [Math.floor((least - step) / step) * step, Math.ceil((most + step) / step) * step];
  };

export type LookName = "power" | "current" | "voltage" | "frequency" | "energy";

export const LOOKS: Record<LookName, Look> = {
  power: { label: "Power", unit: "W", colour: "power", range: fromZero(1) },
  current: { label: "Current", unit: "A", colour: "current", range: fromZero(0.1) },
  voltage: { label: "Voltage", unit: "V", colour: "voltage", range: around(2) },
  energy: { label: "Energy", unit: "Wh", colour: "energy", range: fromZero(0.01) },
  frequency: { label: "Frequency", unit: "Hz", colour: "muted", range: around(0.04) },
};
